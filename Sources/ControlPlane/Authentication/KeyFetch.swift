import AsyncHTTPClient
import FoundationEssentials
import Linux
import NIOCore
import NIOHTTP1
import NIOSSL

/// Fetches an issuer's keys over HTTPS, found by OpenID Connect Discovery 1.0, section 4.
///
/// Whoever holds the network can neither say another key, nor keep us for longer than the limit, nor
/// make us hold more than `KeySet.Limit.bytes`.
struct KeyFetch: Hashable, Sendable {
  enum Limit {
    static let redirects = 3
    static let connect = Duration.seconds(5)
  }

  /// As tokens name it.
  var issuer: String
  /// Who may have signed the certificates of its servers, PEM; nil: whom this system trusts.
  var rootsFile: String?

  /// The key set's text; `limit` is for all of it: names, connections, headers and bodies.
  func keys(within limit: Duration) async throws(KeySourceError) -> [UInt8] {
    let client = HTTPClient(configuration: try configuration())
    let outcome = await withTaskGroup(of: Result<[UInt8], KeySourceError>.self) { group in
      group.addTask { await asked(client, within: limit) }
      group.addTask {
        do {
          try await Task.sleep(for: limit)
        } catch {
          // Cancelled: the keys came first.
        }
        return .failure(.tooSlow(limit))
      }
      let first = await group.next() ?? .failure(.tooSlow(limit))
      group.cancelAll()
      return first
    }
    do {
      try await client.shutdown()
    } catch {
      // What it still had open is closed with it.
    }
    return try outcome.get()
  }

  private func configuration() throws(KeySourceError) -> HTTPClient.Configuration {
    var tls = TLSConfiguration.makeClientConfiguration()
    tls.minimumTLSVersion = .tlsv12
    if let rootsFile {
      do {
        let bytes = try File.read(rootsFile, atMost: KeySet.Limit.bytes)
        tls.trustRoots = .certificates(try NIOSSLCertificate.fromPEMBytes(bytes))
      } catch {
        throw .unreadable(path: rootsFile, reason: "\(error)")
      }
    }
    // Redirects are followed here, where they may not leave HTTPS.
    var configuration = HTTPClient.Configuration(
      tlsConfiguration: tls, redirectConfiguration: .disallow)
    configuration.timeout.connect = TimeAmount(Limit.connect)
    configuration.connectionPool.retryConnectionEstablishment = false
    return configuration
  }

  private func asked(
    _ client: HTTPClient, within limit: Duration
  ) async -> Result<[UInt8], KeySourceError> {
    do throws(KeySourceError) {
      let base = issuer.hasSuffix("/") ? String(issuer.dropLast()) : issuer
      let place = "\(base)/.well-known/openid-configuration"
      let document = try await fetched(place, client, within: limit)
      let found: Document
      do {
        found = try JSONDecoder().decode(Document.self, from: Data(document))
      } catch {
        throw .notConfiguration
      }
      guard found.issuer == issuer else { throw .otherIssuer(found.issuer) }
      return .success(try await fetched(found.jwks_uri, client, within: limit))
    } catch {
      return .failure(error)
    }
  }

  private struct Document: Decodable {
    var issuer: String
    var jwks_uri: String
  }

  private func fetched(
    _ place: String, _ client: HTTPClient, within limit: Duration
  ) async throws(KeySourceError) -> [UInt8] {
    var url = place
    do {
      for _ in 0...Limit.redirects {
        guard url.lowercased().hasPrefix("https://") else { throw KeySourceError.notHTTPS(url) }
        let response = try await client.execute(
          HTTPClientRequest(url: url), timeout: TimeAmount(limit))
        if let next = redirection(of: response, from: url) {
          url = next
          continue
        }
        guard response.status == .ok else { throw KeySourceError.status(url, response.status.code) }
        let body = try await response.body.collect(upTo: KeySet.Limit.bytes)
        return Array(body.readableBytesView)
      }
      throw KeySourceError.tooManyRedirects(place)
    } catch let error as KeySourceError {
      throw error
    } catch {
      throw .unreadable(path: url, reason: "\(error)")
    }
  }

  private func redirection(of response: HTTPClientResponse, from url: String) -> String? {
    switch response.status {
    case .movedPermanently, .found, .seeOther, .temporaryRedirect, .permanentRedirect:
      guard let location = response.headers.first(name: "location") else { return nil }
      return URL(string: location, relativeTo: URL(string: url))?.absoluteString
    default: return nil
    }
  }
}
