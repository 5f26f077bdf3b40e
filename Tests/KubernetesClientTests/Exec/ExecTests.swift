import KubernetesHarness
import Linux
import Testing
import TestSupport

@testable import KubernetesClient

private let place = ContainerPlace(namespace: "shop", pod: "web-1", container: "web")

/// What a command gives beside a server that answers so.
private func outcome(
  within time: Duration = .seconds(30),
  options: ScriptedServer.Options = ScriptedServer.Options(),
  _ script: @escaping ScriptedServer.Script
) async throws -> Result<CommandOutput, KubernetesError> {
  var result: Result<CommandOutput, KubernetesError> = .failure(.cancelled)
  try await ScriptedServer.run(options, script) { server in
    try await server.client { client in
      do throws(KubernetesError) {
        result = .success(try await client.run(["say", "a b&c"], in: place, within: time))
      } catch {
        result = .failure(error)
      }
    }
  }
  return result
}

@Suite(.fewAtOnce) struct `A command in a container` {
  @Test func `is asked for with its words and our token, and gives both streams and its end`()
    async throws
  {
    try await ScriptedServer.run { request in
      request.commandEnd(code: 3, output: "out", error: "err")
    } _: { server in
      try await server.client { client in
        let output = try await client.run(["say", "a b&c"], in: place, within: .seconds(30))
        #expect(
          output
            == CommandOutput(exitCode: 3, output: Array("out".utf8), error: Array("err".utf8)))
        let request = try #require(server.requests.first)
        #expect(request.path == "/api/v1/namespaces/shop/pods/web-1/exec")
        #expect(request.command == ["say", "a b&c"] && request.query["container"] == "web")
        #expect(request.query["stdin"] == nil && request.bearer == "token-1")
        #expect(request.headers["sec-websocket-protocol"] == "v4.channel.k8s.io")
      }
    }
  }

  @Test func `may come in pieces, with questions in between, and be large`() async throws {
    let large = String(repeating: "x", count: 300_000)
    let result = try await outcome { request in
      [
        request.consent, .frame(1, "a", isFinal: false), .frame(nil, "are you there", opcode: 9),
        .frame(nil, "b", opcode: 0, isFinal: false), .frame(nil, "c", opcode: 0),
        .pause(milliseconds: 20), .frame(1, large),
        .frame(3, #"{"status":"#, isFinal: false), .frame(nil, #""Success"}"#, opcode: 0),
      ]
    }
    #expect(
      result == .success(CommandOutput(exitCode: 0, output: Array("abc\(large)".utf8))))
  }

  struct Row: Sendable {
    var says: String
    var script: ScriptedServer.Script
  }

  @Test(arguments: [
    Row(says: "404 NotFound: m") { _ in [.answer(404, statusObject(404, "NotFound"))] },
    Row(says: "403 Forbidden: m; grant") { _ in [.answer(403, statusObject(403, "Forbidden"))] },
    Row(says: "before the command did") { [$0.consent, .frame(1, "half"), .close] },
    Row(says: "channel 9 of a command") { [$0.consent, .frame(9, "?")] },
    Row(says: "cannot be read: the end of a command") { [$0.consent, .frame(3, "?")] },
    Row(says: "InternalError: no such program") {
      [
        $0.consent,
        .frame(3, #"{"status":"Failure","reason":"InternalError","message":"no such program"}"#),
      ]
    },
  ])
  func `that does not run to its end says why`(row: Row) async throws {
    guard case .failure(let error) = try await outcome(row.script) else {
      Issue.record("taken")
      return
    }
    #expect(error.description.contains(row.says), "\(error)")
  }

  @Test(
    arguments: [
      { _ in [] }, { request in [request.consent, .frame(1, "and then nothing")] },
    ] as [ScriptedServer.Script])
  func `that goes on and on is given up`(script: @escaping ScriptedServer.Script) async throws {
    #expect(try await outcome(within: .milliseconds(200), script) == .failure(.timedOut))
  }

  @Test func `is sent to nobody whose certificate is not the server's`() async throws {
    var options = ScriptedServer.Options()
    options.name = "other.example"
    let result = try await outcome(options: options) { $0.commandEnd() }
    guard case .failure(.unreachable(let reason)) = result else {
      Issue.record("\(result)")
      return
    }
    #expect(reason.lowercased().contains("certificate"), "\(reason)")
  }

  @Test func `may write so much and no more`() throws {
    var transcript = CommandTranscript(limit: 8)
    #expect(try transcript.take([1, 65, 66, 67], isContinuation: false, isFinal: true) == nil)
    #expect(throws: KubernetesError.tooLarge(limit: 8)) {
      _ = try transcript.take([2, 1, 2, 3, 4, 5, 6], isContinuation: false, isFinal: true)
    }
  }

  @Test(
    arguments: [
      ("https://k.example", "k.example", 443, "", "k.example"),
      ("https://10.0.0.1:6443", "10.0.0.1", 6_443, "", nil),
      ("https://[fd00::1]:6443/k8s/c-1", "fd00::1", 6_443, "/k8s/c-1", nil),
    ] as [(String, String, Int, String, String?)])
  func `goes where the kubeconfig says`(
    url: String, host: String, port: Int, path: String, name: String?
  ) throws {
    let server = try #require(ServerAddress(url))
    #expect(server.host == host && server.port == port && server.path == path)
    #expect(server.name == name)
  }

  @Test(arguments: ["http://k", "https://", "https://k:x", "https://[::1", "https://k:0"])
  func `goes nowhere else`(url: String) {
    #expect(ServerAddress(url) == nil)
  }
}
