import AsyncHTTPClient
import FoundationEssentials
import Linux
import MeshModel
import NIOCore
import NIOHTTP1

/// Where an issuer's keys come from, and the last good ones.
///
/// What cannot be read leaves the keys of before in force.
actor KeySource {
  enum Place: Hashable, Sendable {
    case file(String)
    /// The issuer's own, found by OpenID Connect Discovery 1.0, section 4.
    case issuer(String)
  }

  enum Timing {
    /// How often a file is looked at.
    static let fileInterval = Duration.seconds(2)
    /// How often the issuer is asked.
    static let issuerInterval = Duration.seconds(300)
    /// How soon it is asked again for a key that is not known, or after a failure.
    static let retryInterval = Duration.seconds(10)
    static let requestTimeout = Duration.seconds(10)
  }

  private let place: Place
  private var keys: KeySet?
  private var json: [UInt8] = []
  private var readAt: Instant?
  /// Why the last reading came to nothing; nil when it was good.
  private(set) var problem: String?
  private(set) var changes: UInt64 = 0
  /// The reading under way: who comes meanwhile waits for it.
  private var reading: Task<Void, Never>?

  init(_ place: Place) {
    self.place = place
  }

  var count: Int { keys?.count ?? 0 }

  /// The keys, read again when they are old.
  func current(at now: Instant) async throws(AuthenticationFailure) -> KeySet {
    if isDue(at: now, after: interval) { await read(at: now) }
    guard let keys else { throw .noKeys(reason: problem ?? "not read yet") }
    return keys
  }

  /// The keys again, for a token whose key is none of them; nil when it is too soon to ask.
  func renewed(at now: Instant) async -> KeySet? {
    guard isDue(at: now, after: minimumInterval) else { return nil }
    await read(at: now)
    return keys
  }

  private var interval: Duration {
    switch place {
    case .file: Timing.fileInterval
    case .issuer: keys == nil || problem != nil ? Timing.retryInterval : Timing.issuerInterval
    }
  }

  private var minimumInterval: Duration {
    switch place {
    case .file: .milliseconds(100)
    case .issuer: Timing.retryInterval
    }
  }

  private func isDue(at now: Instant, after interval: Duration) -> Bool {
    readAt.map { now.since($0) >= interval } ?? true
  }

  private func read(at now: Instant) async {
    if let reading { return await reading.value }
    let task = Task { await readAlone(at: now) }
    reading = task
    await task.value
    reading = nil
  }

  private func readAlone(at now: Instant) async {
    do throws(KeySourceError) {
      let found = try await bytes()
      readAt = now
      if found == json, keys != nil {
        problem = nil
        return
      }
      guard let set = KeySet(json: found) else { throw .notKeys }
      (keys, json, problem) = (set, found, nil)
      changes += 1
    } catch {
      readAt = now
      problem = "\(error)"
    }
  }

  private func bytes() async throws(KeySourceError) -> [UInt8] {
    switch place {
    case .file(let path):
      do throws(LinuxError) {
        return try File.read(path, atMost: KeySet.Limit.bytes)
      } catch {
        throw .unreadable(path: path, reason: "\(error)")
      }
    case .issuer(let issuer):
      let base = issuer.hasSuffix("/") ? String(issuer.dropLast()) : issuer
      let document = try await fetched("\(base)/.well-known/openid-configuration")
      let configuration: Configuration
      do {
        configuration = try JSONDecoder().decode(Configuration.self, from: Data(document))
      } catch {
        throw .notConfiguration
      }
      guard configuration.issuer == issuer else { throw .otherIssuer(configuration.issuer) }
      return try await fetched(configuration.jwks_uri)
    }
  }

  private struct Configuration: Decodable {
    var issuer: String
    var jwks_uri: String
  }

  private func fetched(_ url: String) async throws(KeySourceError) -> [UInt8] {
    guard url.hasPrefix("https://") else { throw .notHTTPS(url) }
    do {
      let response = try await HTTPClient.shared.execute(
        HTTPClientRequest(url: url), timeout: .seconds(Timing.requestTimeout.components.seconds))
      guard response.status == .ok else { throw KeySourceError.status(url, response.status.code) }
      let body = try await response.body.collect(upTo: KeySet.Limit.bytes)
      return Array(body.readableBytesView)
    } catch let error as KeySourceError {
      throw error
    } catch {
      throw .unreadable(path: url, reason: "\(error)")
    }
  }
}

enum KeySourceError: Error, Hashable, Sendable {
  case unreadable(path: String, reason: String)
  case notHTTPS(String)
  case status(String, UInt)
  case notConfiguration
  case otherIssuer(String)
  case notKeys
}

extension KeySourceError: CustomStringConvertible {
  var description: String {
    switch self {
    case .unreadable(let path, let reason): "\(path): cannot be read: \(reason)"
    case .notHTTPS(let url): "\(url): expected an https URL"
    case .status(let url, let code): "\(url): answered \(code)"
    case .notConfiguration: "expected an OpenID configuration with issuer and jwks_uri"
    case .otherIssuer(let issuer): "the configuration is of the issuer \(issuer)"
    case .notKeys:
      "expected a JSON Web Key Set with 1 to \(KeySet.Limit.keys) public keys that are known"
    }
  }
}
