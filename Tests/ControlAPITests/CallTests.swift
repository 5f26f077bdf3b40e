import Foundation
import GRPCCore
import GRPCProtobuf
import IstioAPI
import Linux
import MeshModel
import SwiftProtobuf
import Synchronization
import Testing
import TestSupport

@testable import ControlAPI

@Suite(.fewAtOnce) struct `Calls over TLS` {
  @Test func `a stream carries requests and responses, and ends well with its body`() async throws {
    try await TestServer.run({ exchange throws(CallStatus) in try await exchange.echo() }) {
      test in
      var settings = test.settings()
      let file = test.directory + "/token"
      settings.tokenFile = file
      settings.clusterID = "east"
      settings.headers = [.init("x-more", "1")]
      try put(file, "first\n")
      for token in ["first", "second"] {
        try put(file, token + "\n")
        let answers = try await DiscoveryStream.open(settings) { stream throws(ControlError) in
          var answers: [String?] = []
          for name in ["a", "b", "c"] {
            try await stream.send(.with { $0.typeURL = name })
            answers.append(try await stream.next()?.typeURL)
          }
          return answers
        }
        #expect(answers == ["a", "b", "c"])
      }
      let peers = test.endpoint.peers
      #expect(peers.map { $0.bearerToken ?? "" } == ["first", "second"])
      #expect(peers.map { $0.clusterID } == ["east", "east"])
    }
  }

  @Test func `a status comes through with its code and message`() async throws {
    try await TestServer.run({ exchange throws(CallStatus) in
      throw CallStatus(.resourceExhausted, "too much: ü%")
    }) { test in
      await #expect(throws: ControlError.status(CallStatus(.resourceExhausted, "too much: ü%"))) {
        try await DiscoveryStream.open(test.settings()) { stream throws(ControlError) in
          try await stream.send(.with { $0.typeURL = "a" })
          _ = try await stream.next()
        }
      }
      var settings = test.settings()
      settings.headers = [.init("authorization", "Bearer wrong")]
      await #expect(throws: ControlError.status(CallStatus(.unauthenticated, "not you"))) {
        try await CertificateClient(settings)
          .createCertificate("x", lifetime: nil, impersonating: nil)
      }
    }
  }

  @Test func `a stream that the server ends well gives nil, and takes no more`() async throws {
    try await TestServer.run { test in
      try await DiscoveryStream.open(test.settings()) { stream throws(ControlError) in
        #expect(try await stream.next() == nil)
        await #expect(throws: ControlError.ended) {
          try await stream.send(.with { $0.typeURL = "a" })
          try await stream.send(.with { $0.typeURL = "b" })
        }
      }
    }
  }

  @Test func `a certificate's answer is split into chain and roots`() async throws {
    try await TestServer.run { test in
      let client = CertificateClient(test.settings())
      let answer = try await client.createCertificate(
        "csr", lifetime: .seconds(60), impersonating: "me")
      #expect(
        answer == CertificateAnswer(chain: ["leaf of me for 60 s", "between"], roots: "roots"))
      await #expect(throws: ControlError.self) {
        try await client.createCertificate("short", lifetime: nil, impersonating: nil)
      }
    }
  }

  @Test func `a call for a certificate that is held open is ended in time`() async throws {
    try await TestServer.run { test in
      let answer = try await withClient(test.settings()) { client, opening in
        await #expect(throws: RPCError.self) {
          try await client.bidirectionalStreaming(
            request: StreamingClientRequest { writer in
              opening.finish()
              try await writer.write(.with { $0.csr = "csr" })
              // Far longer than the server waits.
              try await Task.sleep(for: .seconds(120))
            },
            // Of no known kind: a client of unary calls sends nothing before the whole request.
            descriptor: MethodDescriptor(
              fullyQualifiedService: Istio_V1_Auth_IstioCertificateService.descriptor
                .fullyQualifiedService,
              method: "CreateCertificate"),
            serializer: ProtobufSerializer<Istio_V1_Auth_IstioCertificateRequest>(),
            deserializer: ProtobufDeserializer<Istio_V1_Auth_IstioCertificateResponse>(),
            options: .defaults
          ) { response in
            for try await _ in response.messages {}
          }
        }
      }
      #expect(answer?.code == .deadlineExceeded)
      #expect(
        answer?.message == "no request and its end within \(ControlLimit.firstRequestTimeout)")
      #expect(test.endpoint.peers.count == 1)
    }
  }

  @Test func `a server that another root signed, or of another name, is not believed`() async throws
  {
    try await TestServer.run({ exchange throws(CallStatus) in try await exchange.echo() }) {
      test in
      func problem(_ settings: ChannelSettings) async -> String {
        do {
          return try await DiscoveryStream.open(settings) { stream throws(ControlError) in
            try await stream.send(.with { $0.typeURL = "a" })
            return try await stream.next()?.typeURL ?? ""
          }
        } catch {
          return "\(error)"
        }
      }
      _ = try TestServer.credentials(test.directory + "/other")
      var stranger = test.settings()
      stranger.roots = .file(test.directory + "/other/ca.crt")
      #expect(await problem(stranger).contains("unavailable"))
      // The address is not in the certificate; the name is.
      #expect(await problem(test.settings(host: "127.0.0.1")).contains("unavailable"))
      var named = test.settings(host: "127.0.0.1")
      named.serverName = "localhost"
      #expect(await problem(named) == "a")
      // From now on the server shows another certificate.
      try test.server.use(TestServer.credentials(test.directory + "/other"))
      #expect(await problem(stranger) == "a")
      #expect(await problem(test.settings()).contains("unavailable"))
      #expect(test.endpoint.peers.count == 2)
    }
  }

  @Test func `a server that says nothing is given up in time`() async throws {
    // The kernel takes the connection, and nobody reads from it.
    let listener = try Socket.listener(on: SocketAddress(ip: .v4(0x7f00_0001), port: 0))
    let port = try listener.localAddress().port
    try await TestServer.run { test in
      var settings = test.settings()
      settings.address = ControlAddress(host: "127.0.0.1", port: port)
      settings.connectTimeout = .milliseconds(500)
      let start = MonotonicClock.now()
      await #expect(throws: ControlError.connectTimedOut(after: .milliseconds(500))) {
        try await CertificateClient(settings)
          .createCertificate("x", lifetime: nil, impersonating: nil)
      }
      #expect(MonotonicClock.now().since(start) < .seconds(30))
    }
    _ = consume listener
  }

  @Test func `files that cannot be used are named before anything is dialled`() async throws {
    try await TestServer.run { test in
      func problem(_ change: (inout ChannelSettings) -> Void) async -> String {
        var settings = test.settings()
        change(&settings)
        do {
          _ = try await CertificateClient(settings)
            .createCertificate("x", lifetime: nil, impersonating: nil)
          return "none"
        } catch {
          return "\(error)"
        }
      }
      let nowhere = test.directory + "/nowhere"
      let empty = test.directory + "/empty"
      try put(empty, " \n")
      #expect(await problem { $0.tokenFile = nowhere }.hasPrefix("\(nowhere): cannot be read"))
      #expect(await problem { $0.roots = .file(nowhere) }.hasPrefix("\(nowhere): cannot be read"))
      #expect(await problem { $0.tokenFile = empty }.hasPrefix("\(empty): expected one token"))
      #expect(await problem { $0.roots = .text("nonsense") }.contains("expected PEM certificates"))
      #expect(test.endpoint.peers.isEmpty)
    }
  }

  @Test func `a client that does not read holds up its own stream and no memory`() async throws {
    let sent = Atomic<Int>(0)
    let name = String(repeating: "n", count: 1 << 20)
    try await TestServer.run({ exchange throws(CallStatus) in
      for _ in 0..<1_000 {
        do throws(ControlError) {
          try await exchange.send(.with { $0.removedResources = [name] })
        } catch {
          throw CallStatus(.cancelled, "\(error)")
        }
        sent.add(1, ordering: .relaxed)
      }
    }) { test in
      try await DiscoveryStream.open(test.settings()) { stream throws(ControlError) in
        try await stream.send(.with { $0.typeURL = "a" })
        do { try await Task.sleep(for: .seconds(2)) } catch { throw .cancelled }
      }
      // The windows of HTTP/2 and a few messages on either side, of a gigabyte.
      #expect(sent.load(ordering: .relaxed) > 0)
      #expect(sent.load(ordering: .relaxed) < 64)
    }
  }
}
