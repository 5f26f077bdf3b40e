import KubernetesClient
import KubernetesHarness
import MeshCompiler
import Testing
import TestSupport

@Suite(.fewAtOnce) struct `A list read once` {
  private let routes = Resource(
    group: "example.io", versions: ["v1", "v1beta1"], plural: "routes", kind: "Route")

  @Test func `holds all pages, in the best version that is served`() async throws {
    let script: ScriptedServer.Script = { request in
      guard request.path == "/apis/example.io/v1beta1/routes" else {
        return [.answer(404, statusObject(404, "NotFound"))]
      }
      return request.query["continue"] == nil
        ? [.ok(list(7, [object("a", 1)], next: "more"))] : [.ok(list(7, [object("b", 2)]))]
    }
    try await ScriptedServer.run(ScriptedServer.Options(), script) { server in
      try await server.client { client in
        let list = try #require(try await client.objects(of: routes))
        #expect(list.objects.map { $0["metadata"]?["name"]?.text } == ["a", "b"])
        #expect(
          list.objects.map { $0["apiVersion"]?.text }
            == .init(repeating: "example.io/v1beta1", count: 2))
        #expect(list.refused.isEmpty)
      }
    }
  }

  @Test func `is none of a kind nobody serves, and an error where it may not be read`() async throws
  {
    let script: ScriptedServer.Script = { request in
      request.path.hasPrefix("/apis/")
        ? [.answer(404, statusObject(404, "NotFound"))]
        : [.answer(403, statusObject(403, "Forbidden"))]
    }
    try await ScriptedServer.run(ScriptedServer.Options(), script) { server in
      try await server.client { client in
        let none = try await client.objects(of: routes)
        #expect(none?.objects == nil)
        let error = await #expect(throws: KubernetesError.self) {
          _ = try await client.objects(of: Resource(plural: "pods", kind: "Pod"))
        }
        #expect(error?.status?.isForbidden == true)
      }
    }
  }

  @Test(arguments: [true, false]) func `says what we may do`(isAllowed: Bool) async throws {
    let script: ScriptedServer.Script = { _ in
      [.answer(201, "{\"status\":{\"allowed\":\(isAllowed)}}")]
    }
    try await ScriptedServer.run(ScriptedServer.Options(), script) { server in
      try await server.client { client in
        let question = AccessQuestion(
          verb: "create", group: "", resource: "pods/exec", namespace: "shop")
        let answer = try await client.isAllowed(question)
        #expect(answer == isAllowed)
      }
      let body = server.requests.last?.body ?? ""
      #expect(body.contains("\"resource\":\"pods\""), "\(body)")
      #expect(body.contains("\"subresource\":\"exec\""))
    }
  }
}
