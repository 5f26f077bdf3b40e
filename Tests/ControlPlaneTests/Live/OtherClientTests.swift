import Foundation
import Testing
import TestSupport

@testable import ControlPlane

private let web = Plane.Pod("web", node: "a", account: "web")
private let db = Plane.Pod("db", node: "b", account: "db")
private let node = #"{"id":"ztunnel~10.0.0.9~z.istio-system~istio-system.svc.cluster.local"}"#

/// What our client and our server both get wrong shows only beside one that is not ours.
@Suite(.needsPeers, .serialized, .fewAtOnce) struct `A gRPC client that is not ours` {
  private func run(_ body: (Plane, Bridge) async throws -> Void) async throws {
    try await Plane.run { plane in
      let bridge = try Bridge(plane)
      defer { bridge.end() }
      try await body(plane, bridge)
    }
  }

  private func open(_ bridge: Bridge, versions: String = "{}") async throws {
    try await bridge.ask(#"{"do":"open","token":"\#(Plane.tokens["a"] ?? "")"}"#)
    try await bridge.ask(
      """
      {"do":"send","request":{"node":\(node),"typeUrl":"\(Ask.address)",
      "initialResourceVersions":\(versions)}}
      """)
  }

  @Test func `reads the mesh, what changes in it and what goes`() async throws {
    try await run { plane, bridge in
      try await open(bridge)
      let first = try #require(try await bridge.next().response)
      let resources = try #require(first.resources)
      #expect(Set(resources.map(\.name)) == [web.uid, db.uid, "shop/web.shop.svc.cluster.local"])
      let pod = try #require(resources.first { $0.name == web.uid })
      #expect(pod.aliases == ["/10.0.0.1"])
      let workload = try #require(pod.resource["workload"])
      #expect(workload["serviceAccount"] == .text("web"))
      #expect(workload["tunnelProtocol"] == .text("HBONE"))
      #expect(workload["addresses"] == .other)
      try await bridge.acknowledge(first)

      try await bridge.ask(
        #"{"do":"send","request":{"typeUrl":"\#(Ask.policy)"}}"#)
      let policies = try #require(try await bridge.next().response)
      #expect(policies.resources?.map(\.name) == ["shop/only-web"])
      try await bridge.acknowledge(policies)

      var newer = web
      newer.version = "2"
      try await plane.change([newer])
      let change = try #require(try await bridge.next().response)
      #expect(change.resources?.map(\.name) == [web.uid])
      #expect(change.removedResources == [db.uid])
    }
  }

  @Test func `refuses a response and goes on, and is sent only differences when it comes back`()
    async throws
  {
    try await run { plane, bridge in
      try await open(bridge)
      let first = try #require(try await bridge.next().response)
      try await bridge.acknowledge(first, refusing: "too blue")
      try await waitFor {
        plane.core.register.all.first?.addresses?.lastRefusal == "too blue"
      }
      try await bridge.ask(#"{"do":"close"}"#)
      #expect(try await bridge.next().status == "OK")

      let versions = (first.resources ?? []).map { "\"\($0.name)\":\"\($0.version ?? "")\"" }
      var newer = web
      newer.version = "2"
      try await plane.change([newer, db])
      try await open(bridge, versions: "{" + versions.joined(separator: ",") + "}")
      let difference = try #require(try await bridge.next().response)
      #expect(difference.resources?.map(\.name) == [web.uid])
      #expect(difference.removedResources == nil)
    }
  }

  @Test func `gets a certificate for its pod, and the status it should without`() async throws {
    try await run { _, bridge in
      let request = try signingRequest().split(separator: "\n").joined(separator: "\\n")
      func create(_ token: String, _ identity: String) async throws -> Bridge.Answer {
        try await bridge.ask(
          """
          {"do":"create","token":"\(token)","request":{"csr":"\(request)\\n",
          "validityDuration":"600","metadata":{"ImpersonatedIdentity":
          "spiffe://cluster.local/ns/shop/sa/\(identity)"}}}
          """)
      }
      let chain = try #require(
        try await create(Plane.tokens["a"] ?? "", "web").response?.certChain)
      #expect(chain.count == 2)
      #expect(try certificates(in: chain[0]).count == 1)
      #expect(try await create(Plane.tokens["a"] ?? "", "db").status == "UNAUTHENTICATED")
      #expect(try await create("no-such-token-0000", "web").status == "UNAUTHENTICATED")
    }
  }

  struct Hostile: CustomTestStringConvertible, Sendable {
    var testDescription: String
    /// Commands after the stream is open.
    var commands: [String]
    var status: String
  }

  @Test(arguments: [
    Hostile(
      testDescription: "bytes that are no message",
      commands: [#"{"do":"raw","bytes":"ffffffffffffffff"}"#], status: "INVALID_ARGUMENT"),
    Hostile(
      testDescription: "no node", commands: [#"{"do":"send","request":{"typeUrl":"x"}}"#],
      status: "INVALID_ARGUMENT"),
    Hostile(
      testDescription: "a node of no kind",
      commands: [#"{"do":"send","request":{"node":{"id":"router~1~2~3"}}}"#],
      status: "INVALID_ARGUMENT"),
    Hostile(
      // gRPC's transport resets such a stream; there is no status to choose.
      testDescription: "a message over the limit",
      commands: [#"{"do":"raw","bytes":"\#(String(repeating: "20", count: 5 << 20))"}"#],
      status: "CANCELLED"),
  ])
  func `is answered with a status when it sends`(hostile: Hostile) async throws {
    try await run { plane, bridge in
      try await bridge.ask(#"{"do":"open","token":"\#(Plane.tokens["a"] ?? "")"}"#)
      for command in hostile.commands { try await bridge.ask(command) }
      #expect(try await bridge.next().status == hostile.status)
      // And everybody else is served on.
      try await open(bridge)
      #expect(try await bridge.next().response?.resources?.count == 3)
      try await waitFor { plane.core.register.count == 1 }
    }
  }
}
