import CertificateAuthority
import Linux
import MeshModel
import Synchronization
import Telemetry

/// Which client certificates were taken back, by a file that is watched.
///
/// A file that cannot be used leaves the last good lists in force; while there have been none, no
/// client certificate counts. It is never silently off.
final class RevocationFile: Sendable {
  private struct State {
    var bytes: [UInt8]?
    var lists: Revocations?
    /// Why the file was not taken over; nil while it is good.
    var problem: String?
    var nextUpdate: WallTime?
    var unknownIssuers: [String] = []
  }

  let path: String
  private let state = Mutex(State())

  init(path: String) {
    self.path = path
  }

  /// Refuses a verified chain, leaf to root, when it or a part of it was taken back.
  func check(_ chain: [[UInt8]]) throws(AuthenticationFailure) {
    let (lists, problem) = state.withLock { ($0.lists, $0.problem) }
    guard let lists else { throw .revocationsUnknown(reason: problem ?? "not read yet") }
    if let place = lists.revokedPlace(in: chain) { throw .revoked(place: place) }
  }

  /// Reads the file again; true when other lists are in force now.
  ///
  /// - authorities: DER of those whose signatures can be checked.
  func reload(authorities: [[UInt8]]) -> Bool {
    let bytes: [UInt8]
    do throws(LinuxError) {
      bytes = try File.read(path, atMost: TrustFileLimit.revocationBytes)
    } catch {
      state.withLock { state in
        state.problem = "\(error)"
        // Looked at again as soon as it can be read, though it is as it was.
        state.bytes = nil
      }
      return false
    }
    let isKnown = state.withLock { $0.bytes == bytes }
    return isKnown ? false : take(bytes, authorities)
  }

  private func take(_ bytes: [UInt8], _ authorities: [[UInt8]]) -> Bool {
    do throws(TrustFileError) {
      let (lists, unknown) = try TrustFiles.revocationLists(in: bytes, checkedWith: authorities)
      state.withLock { state in
        state = State(
          bytes: bytes, lists: Revocations(lists), problem: nil,
          nextUpdate: lists.compactMap(\.nextUpdate).min(), unknownIssuers: unknown)
      }
      return true
    } catch {
      state.withLock { state in
        state.problem = "\(error)"
        state.bytes = bytes
      }
      return false
    }
  }

  /// What is wrong, in one sentence; nil while the file is good.
  var problem: String? {
    state.withLock { state in
      state.problem.map { problem in
        let rest =
          state.lists == nil
          ? "no client certificate is taken" : "the last good lists stay in force"
        return "\(path): \(problem); \(rest)"
      }
    }
  }

  func status(at now: WallTime) -> ControlStatus.Revocations {
    state.withLock { state in
      ControlStatus.Revocations(
        file: path,
        state: state.lists == nil ? "refusing" : state.problem == nil ? "enforced" : "last good",
        entries: state.lists?.entryCount ?? 0, nextUpdate: state.nextUpdate?.timestamp,
        isOutdated: state.nextUpdate.map { $0 < now } ?? false,
        unknownIssuers: state.unknownIssuers)
    }
  }
}
