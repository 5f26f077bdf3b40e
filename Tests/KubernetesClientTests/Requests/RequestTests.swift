import KubernetesClient
import KubernetesHarness
import Linux
import MeshCompiler
import MeshModel
import Synchronization
import Testing
import TestSupport

private func failure(_ body: () async throws -> Void) async -> KubernetesError? {
  do {
    try await body()
    return nil
  } catch {
    return error as? KubernetesError
  }
}

private let configMap: ManifestValue = ["metadata": ["name": "roots"], "data": ["a": "b"]]
private let path = "/api/v1/namespaces/shop/configmaps"

@Suite(.fewAtOnce) struct `A request to the API server` {
  @Test func `reads its token anew when it is refused, and tries at once`() async throws {
    try await withDirectory { directory in
      let file = directory + "/token"
      try File.replace(file, with: Array("old".utf8))
      var options = ScriptedServer.Options()
      options.credentials = .tokenFile(file)
      try await ScriptedServer.run(options) { request in
        request.bearer == "new" ? [.ok("{}")] : [.answer(401, statusObject(401, "Unauthorized"))]
      } _: { server in
        try await server.client { client in
          let get = { _ = try await client.object(.configMaps, namespace: "shop", name: "roots") }
          let refused = await failure(get)
          #expect(refused?.status?.isUnauthorized == true && server.requests.count == 1)
          #expect(refused?.description.contains("is the token") == true)
          try File.replace(file, with: Array("new".utf8))
          #expect(await failure(get) == nil)
          #expect(server.requests.map(\.bearer) == ["old", "old", "new"])
        }
      }
    }
  }

  @Test func `is sent to nobody whose certificate is not the server's`() async throws {
    var options = ScriptedServer.Options()
    options.name = "other.example"
    try await ScriptedServer.run(options) { _ in
      [.ok("{}")]
    } _: { server in
      try await server.client { client in
        let error = await failure {
          _ = try await client.object(.configMaps, namespace: "shop", name: "roots")
        }
        guard case .unreachable = error else {
          Issue.record("\(String(describing: error))")
          return
        }
        #expect(server.requests.isEmpty)
      }
    }
  }

  @Test func `follows no redirect`() async throws {
    try await ScriptedServer.run { request in
      request.number == 1
        ? [.answer(302, "", headers: ["location": "/elsewhere"])] : [.ok("{}")]
    } _: { server in
      try await server.client { client in
        let error = await failure {
          _ = try await client.object(.configMaps, namespace: "shop", name: "roots")
        }
        #expect(error?.status?.code == 302 && server.requests.count == 1)
      }
    }
  }

  private static let slow: [ScriptedServer.Piece] =
    [.stream]
    + [[ScriptedServer.Piece]](repeating: [.bytes([0x20]), .pause(milliseconds: 50)], count: 200)
    .flatMap { $0 }
  private static let endless: [ScriptedServer.Piece] =
    [.stream]
    + [ScriptedServer.Piece](
      repeating: .bytes([UInt8](repeating: 0x20, count: 1 << 20)), count: 5)

  struct Hostile: Sendable, CustomTestStringConvertible {
    var testDescription: String
    var pieces: [ScriptedServer.Piece]
    var error: KubernetesError?
  }

  @Test(arguments: [
    Hostile(testDescription: "says nothing", pieces: [], error: .timedOut),
    Hostile(testDescription: "says nothing more", pieces: [.stream], error: .timedOut),
    Hostile(
      testDescription: "says it slowly",
      pieces: slow,
      error: .timedOut),
    Hostile(
      testDescription: "says too much",
      pieces: endless,
      error: .tooLarge(limit: 4 << 20)),
    Hostile(testDescription: "hangs up", pieces: [.close], error: nil),
    Hostile(testDescription: "hangs up in between", pieces: [.stream, .close], error: nil),
    Hostile(
      testDescription: "speaks something else", pieces: [.ok("<html>")],
      error: .malformed(reason: "expected a value, found byte 60 at 0")),
  ])
  func `ends in time whatever the server does`(hostile: Hostile) async throws {
    try await ScriptedServer.run { _ in
      hostile.pieces
    } _: { server in
      var timing = KubernetesClient.Timing()
      // Whoever ends it by saying too much is given the time to say it.
      timing.request = hostile.error == .timedOut ? .seconds(2) : .seconds(60)
      try await server.client(timing) { client in
        let error = await failure {
          _ = try await client.object(.configMaps, namespace: "shop", name: "roots")
        }
        #expect(error != nil)
        if let expected = hostile.error { #expect(error == expected) }
      }
    }
  }

  @Test func `makes what is absent, once, whoever is first`() async throws {
    try await ScriptedServer.run { request in
      switch (request.method, request.number) {
      case ("GET", 1): [.answer(404, statusObject(404, "NotFound"))]
      case ("POST", _): [.answer(409, statusObject(409, "AlreadyExists"))]
      case (_, _): [.ok(#"{"data":{"a":"of the other"}}"#)]
      }
    } _: { server in
      try await server.client { client in
        let found = try await client.createIfAbsent(
          .configMaps, namespace: "shop", name: "roots", configMap)
        #expect(found["data"]?["a"]?.text == "of the other")
        #expect(server.requests.map(\.method) == ["GET", "POST", "GET"])
        #expect(server.requests[1].path == path)
        #expect(server.requests[1].body.contains(#""kind":"ConfigMap""#))
      }
    }
  }

  @Test func `changes what is there now, not what was there`() async throws {
    try await ScriptedServer.run { request in
      switch (request.method, request.number) {
      case ("PUT", 2): [.answer(409, statusObject(409, "Conflict"))]
      case ("PUT", _): [.ok(request.body)]
      case (_, _):
        [.ok("{\"metadata\":{\"resourceVersion\":\"\(request.number)\"},\"other\":[1]}")]
      }
    } _: { server in
      try await server.client { client in
        let written = try await client.update(.configMaps, namespace: "shop", name: "roots") {
          $0.with("data", ["a": "c"])
        }
        #expect(written["data"]?["a"]?.text == "c" && written["other"] != nil)
        #expect(written["metadata"]?["resourceVersion"]?.text == "3")
        #expect(server.requests.map(\.method) == ["GET", "PUT", "GET", "PUT"])
        #expect(server.requests[3].path == path + "/roots")
      }
    }
  }

  @Test func `gives up after so many conflicts`() async throws {
    try await ScriptedServer.run { request in
      request.method == "PUT" ? [.answer(409, statusObject(409, "Conflict"))] : [.ok("{}")]
    } _: { server in
      try await server.client { client in
        let error = await failure {
          _ = try await client.update(.configMaps, namespace: "shop", name: "roots") { $0 }
        }
        #expect(error?.status?.isConflict == true && server.requests.count == 10)
      }
    }
  }

  @Test func `patches a status, and names it in the path`() async throws {
    try await ScriptedServer.run { _ in
      [.ok("{}")]
    } _: { server in
      try await server.client { client in
        try await client.patch(
          ScriptedServer.policies, namespace: "shop", name: "a b", part: "status",
          ["status": ["observedGeneration": .whole(2)]])
        let request = try #require(server.requests.first)
        #expect(request.method == "PATCH")
        #expect(
          request.path
            == "/apis/security.istio.io/v1/namespaces/shop/authorizationpolicies/a%20b/status")
        #expect(request.headers["content-type"] == "application/merge-patch+json")
        #expect(request.body == #"{"status":{"observedGeneration":2}}"#)
      }
    }
  }
}

@Suite(.fewAtOnce) struct `A token is reviewed` {
  private func review(_ status: String) async throws -> TokenReview? {
    let found = Mutex<TokenReview?>(nil)
    try await ScriptedServer.run { _ in
      [.answer(201, "{\"status\":\(status)}")]
    } _: { server in
      try await server.client { client in
        let answer = try await client.review(token: "t\"", audiences: ["skein"])
        found.withLock { $0 = answer }
        #expect(server.requests[0].path == "/apis/authentication.k8s.io/v1/tokenreviews")
        #expect(server.requests[0].body.contains(#""token":"t\"","audiences":["skein"]"#))
      }
    }
    return found.withLock { $0 }
  }

  @Test func `and says whose it is, in which pod`() async throws {
    let answer = try await review(
      """
      {"authenticated":true,"audiences":["skein"],"user":{"username":
      "system:serviceaccount:shop:web","uid":"u","groups":["g"],"extra":{
      "authentication.kubernetes.io/pod-name":["web-1"],
      "authentication.kubernetes.io/pod-uid":["1-2"]}}}
      """)
    let found = try #require(answer)
    #expect(found.account?.namespace == "shop" && found.account?.name == "web")
    #expect(found.pod?.name == "web-1" && found.pod?.uid == "1-2" && found.node == nil)
  }

  @Test(arguments: [
    "{}", #"{"error":"expired"}"#,
    #"{"authenticated":false,"audiences":["skein"],"user":{"username":"a"}}"#,
    #"{"authenticated":"true","audiences":["skein"],"user":{"username":"a"}}"#,
    #"{"authenticated":true,"audiences":["other"],"user":{"username":"a"}}"#,
    #"{"authenticated":true,"user":{"username":"a"}}"#,
    #"{"authenticated":true,"audiences":["skein"]}"#,
  ])
  func `and proves nothing otherwise`(status: String) async throws {
    #expect(try await review(status) == nil)
  }
}
