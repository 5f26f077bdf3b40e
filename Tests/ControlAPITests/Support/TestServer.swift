import CertificateAuthority
import Foundation
import IstioAPI
import Linux
import MeshModel
import SwiftProtobuf
import Synchronization

@testable import ControlAPI

/// A server whose endpoints do what a test says.
final class TestServer: Sendable {
  let directory: String
  let port: UInt16
  let server: ControlServer
  let endpoint: Endpoint

  private init(directory: String, port: UInt16, server: ControlServer, endpoint: Endpoint) {
    self.directory = directory
    self.port = port
    self.server = server
    self.endpoint = endpoint
  }

  static func run(
    _ serve: @escaping Endpoint.Serve = { _ in }, _ body: (TestServer) async throws -> Void
  ) async throws {
    let directory = NSTemporaryDirectory() + "/control-api-\(UUID().uuidString)"
    try FileManager.default.createDirectory(
      atPath: directory, withIntermediateDirectories: true)
    defer {
      do { try FileManager.default.removeItem(atPath: directory) } catch { print(error) }
    }
    let endpoint = Endpoint(serve)
    let server = try ControlServer(
      host: "127.0.0.1", port: 0, credentials: credentials(directory + "/ca"),
      discovery: endpoint, certificates: endpoint)
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask { try await server.run() }
      let port = UInt16(await server.port ?? 0)
      try await body(
        TestServer(directory: directory, port: port, server: server, endpoint: endpoint))
      group.cancelAll()
    }
  }

  /// Of an authority in `directory`, made when there is none.
  static func credentials(
    _ directory: String, names: [String] = ["localhost"]
  ) throws -> ServerCredentials {
    let authority = try CertificateAuthority(
      directory: directory, trustDomain: "cluster.local", now: WallClock.now())
    let own = try authority.servingCertificate(
      for: names, lifetime: .seconds(600), now: WallClock.now())
    return ServerCredentials(chain: Array(own.chain.utf8), key: Array(own.key.utf8))
  }

  func settings(host: String = "localhost") -> ChannelSettings {
    ChannelSettings(
      address: ControlAddress(host: host, port: port), roots: .file(directory + "/ca/ca.crt"),
      connectTimeout: .seconds(4))
  }

  /// Both services; remembers who called.
  final class Endpoint: DiscoveryEndpoint, CertificateEndpoint, DiscoverySession,
    CertificateSession
  {
    typealias Serve = @Sendable (DiscoveryExchange) async throws(CallStatus) -> Void

    private let serve: Serve
    private let called = Mutex<[Peer]>([])

    init(_ serve: @escaping Serve) {
      self.serve = serve
    }

    var peers: [Peer] { called.withLock { $0 } }

    private func admit(_ peer: Peer) throws(CallStatus) {
      called.withLock { $0.append(peer) }
      if peer.bearerToken == "wrong" { throw CallStatus(.unauthenticated, "not you") }
    }

    func session(for peer: Peer) throws(CallStatus) -> any DiscoverySession {
      try admit(peer)
      return self
    }

    func session(for peer: Peer) throws(CallStatus) -> any CertificateSession {
      try admit(peer)
      return self
    }

    func serve(_ exchange: DiscoveryExchange) async throws(CallStatus) { try await serve(exchange) }

    func createCertificate(
      _ request: Istio_V1_Auth_IstioCertificateRequest
    ) throws(CallStatus) -> [String] {
      if request.csr == "slow" { throw CallStatus(.deadlineExceeded, "slow") }
      if request.csr == "short" { return ["only one"] }
      let identity = request.metadata.fields["ImpersonatedIdentity"]?.stringValue ?? ""
      return ["leaf of \(identity) for \(request.validityDuration) s", "between", "roots"]
    }
  }
}

extension DiscoveryExchange {
  /// Answers each request with a response of the same type, until the client ends.
  func echo() async throws(CallStatus) {
    while true {
      do throws(ControlError) {
        switch try await next() {
        case .request(let request): try await send(.with { $0.typeURL = request.typeURL })
        case .nudged: try await send(.with { $0.typeURL = "nudged" })
        case .finished: return
        }
      } catch {
        throw CallStatus(.cancelled, "\(error)")
      }
    }
  }
}

/// Makes or replaces a file.
func put(_ path: String, _ text: String) throws(LinuxError) {
  try File.replace(path, with: Array(text.utf8))
}
