import AgentProtocol
import CertificateAuthority
import MeshModel

/// What the files of trust said last, and what holds of it; pure, without files and clock.
struct TrustState: Equatable, Sendable {
  /// What a file was found to hold.
  enum Reading: Equatable, Sendable {
    case bytes([UInt8])
    case missing
    case unreadable(reason: String)
  }

  struct Revocations: Equatable, Sendable {
    var lists: [[UInt8]]
    var entries: Int
    /// When they were read from the file; nil when only the last good of before is known.
    var loadedAt: WallTime?
    /// The earliest time at which a list wanted to be replaced.
    var nextUpdate: WallTime?
    /// Authorities whose signature nobody here can check.
    var unknownIssuers: [String]
  }

  struct Bundle: Equatable, Sendable {
    var roots: [[UInt8]]
    var loadedAt: WallTime?
  }

  let settings: TrustSettings
  /// The last good ones; nil when there are none.
  private(set) var revocations: Revocations?
  /// Why the file was not taken over; nil while it is good.
  private(set) var revocationError: String?
  private(set) var bundles: [String: Bundle] = [:]
  private(set) var bundleErrors: [String: String] = [:]

  /// - lastGood: what an earlier node agent had in force.
  init(_ settings: TrustSettings, lastGood: TrustUpdate?) {
    self.settings = settings
    guard let lastGood else { return }
    if settings.revocationFile != nil, case .lists(let lists) = lastGood.revocations {
      revocations = Revocations(
        lists: lists, entries: TrustState.entries(in: lists), loadedAt: nil, nextUpdate: nil,
        unknownIssuers: [])
    }
    for bundle in lastGood.bundles where settings.bundles[bundle.trustDomain] != nil {
      bundles[bundle.trustDomain] = Bundle(roots: bundle.roots, loadedAt: nil)
    }
  }

  private static func entries(in lists: [[UInt8]]) -> Int {
    lists.reduce(0) { sum, der in
      do throws(RevocationListError) {
        return sum + (try RevocationList(der: der)).entryCount
      } catch {
        return sum
      }
    }
  }

  /// Takes the revocation file over when it is good, else keeps the last good one.
  ///
  /// A list that says it is of an authority at hand, and is not signed by it, spoils the file.
  mutating func readRevocations(_ reading: Reading, authorities: [[UInt8]], at now: WallTime) {
    switch reading {
    case .missing: revocationError = "no such file"
    case .unreadable(let reason): revocationError = reason
    case .bytes(let bytes):
      do throws(TrustFileError) {
        let (lists, unknown) = try TrustFiles.revocationLists(
          in: bytes, checkedWith: authorities)
        revocationError = nil
        revocations = Revocations(
          lists: lists.map(\.der), entries: lists.reduce(0) { $0 + $1.entryCount }, loadedAt: now,
          nextUpdate: lists.compactMap(\.nextUpdate).min(), unknownIssuers: unknown)
      } catch {
        revocationError = "\(error)"
      }
    }
  }

  /// Takes a bundle over when it is good; a file that is gone takes its domain's trust with it.
  mutating func readBundle(of trustDomain: String, _ reading: Reading, at now: WallTime) {
    switch reading {
    case .missing:
      bundles[trustDomain] = nil
      bundleErrors[trustDomain] = "no such file: nobody of \(trustDomain) is let in"
    case .unreadable(let reason): bundleErrors[trustDomain] = reason
    case .bytes(let bytes):
      do throws(TrustFileError) {
        bundles[trustDomain] = Bundle(roots: try TrustFiles.roots(in: bytes), loadedAt: now)
        bundleErrors[trustDomain] = nil
      } catch {
        bundleErrors[trustDomain] = "\(error)"
      }
    }
  }

  /// For ztunnel: never silently off.
  func update(number: UInt64) -> TrustUpdate {
    var update = TrustUpdate(number: number)
    if let file = settings.revocationFile {
      if let revocations {
        update.revocations = .lists(revocations.lists)
      } else {
        update.revocations = .unknown(reason: "\(file): \(revocationError ?? "not read yet")")
      }
    }
    update.bundles = bundles.sorted { $0.key < $1.key }.map {
      TrustUpdate.Bundle(trustDomain: $0.key, roots: $0.value.roots)
    }
    return update
  }
}
