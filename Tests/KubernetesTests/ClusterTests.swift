import ControlAPI
import Foundation
import IstioAPI
import KubernetesClient
import NodeHarness
import SwiftProtobuf
import Testing

/// The control plane as a program, beside a real API server.
@Suite(.serialized, .enabled(if: ClusterFixture.isAvailable, "run by make e2e"))
struct `A control plane of a cluster` {
  @Test func `sends a node the pods there are, and those that come and go`() async throws {
    try await ClusterFixture.run { cluster in
      try await cluster.makePod("web-1", node: "a", ip: "10.9.0.1")
      try await cluster.asAgent(on: "a", ip: "10.9.0.250") { node throws(ControlError) in
        try await node.ask(NodeStream.address)
        try await node.wait(for: cluster.workload("web-1"))
        await attempt { try await cluster.makePod("web-2", node: "b", ip: "10.9.0.2") }
        try await node.wait(for: cluster.workload("web-2"))
      }
    }
  }

  @Test func `takes up policies whose definition is installed later`() async throws {
    try await ClusterFixture.run { cluster in
      let rows = try await cluster.status()["cluster"].array
      let row = rows.first { $0["kind"].string == "AuthorizationPolicy" }
      #expect(row?["isAbsent"].bool == true && row?["isSynced"].bool == true)
      try await cluster.installPolicies()
      try await cluster.makePod("web-1", node: "a", ip: "10.9.1.1")
      try await cluster.asAgent(on: "a", ip: "10.9.1.250") { node throws(ControlError) in
        try await node.ask(NodeStream.policy)
        await attempt {
          try await cluster.client.create(
            ClusterFixture.Kind.policies, namespace: cluster.namespace,
            [
              "metadata": ["name": "nobody"],
              "spec": ["selector": ["matchLabels": ["app": "web"]]],
            ])
        }
        try await node.wait(for: "\(cluster.namespace)/nobody")
      }
      try await cluster.client.delete(
        ClusterFixture.Kind.definitions, name: "authorizationpolicies.security.istio.io")
    }
  }

  @Test func `believes a pod's token, and makes it the node of that pod and no other`() async throws
  {
    try await ClusterFixture.run { cluster in
      try await cluster.makePod("web-1", node: "a", ip: "10.9.2.1")
      let uid = try await cluster.makePod("agent-a", node: "a", ip: "10.9.2.2", account: "agent")
      let web = try await cluster.makePod("web-b", node: "b", ip: "10.9.2.3")
      let rows: [(account: String, pod: String, uid: String, claims: String, audience: String)] = [
        ("agent", "agent-a", uid, "a", "istio-ca"), ("agent", "agent-a", uid, "b", "istio-ca"),
        ("web", "web-b", web, "b", "istio-ca"), ("agent", "agent-a", uid, "a", "other"),
      ]
      var codes: [CallStatus.Code?] = []
      for row in rows {
        let token = try await cluster.token(
          account: row.account, pod: row.pod, uid: row.uid, audience: row.audience)
        codes.append(await cluster.code(token, claiming: row.claims))
      }
      #expect(codes == [nil, .permissionDenied, .permissionDenied, .unauthenticated])
    }
  }

  @Test func `serves what it knows while the API server is away, and goes on when it is back`()
    async throws
  {
    try await ClusterFixture.run { cluster in
      try await cluster.makePod("web-1", node: "a", ip: "10.9.3.1")
      try await cluster.asAgent(on: "a", ip: "10.9.3.250") { node throws(ControlError) in
        try await node.ask(NodeStream.address)
        try await node.wait(for: cluster.workload("web-1"))
        await attempt {
          try await NodeHarness.run("\(ClusterFixture.scripts)/restart.sh", "kube-apiserver", "3")
          let during = try await cluster.status()
          #expect(during["mesh"]["workloads"].int ?? 0 > 0)
          try await eventually("the API server is back", within: .seconds(60)) {
            do throws(KubernetesError) {
              return try await cluster.client.servedVersion(of: ClusterFixture.Kind.pods) != nil
            } catch {
              return false
            }
          }
          try await cluster.makePod("web-2", node: "a", ip: "10.9.3.2")
        }
        try await node.wait(for: cluster.workload("web-2"))
      }
      try await eventually("every watch is up to date", within: .seconds(60)) {
        try await cluster.status()["cluster"].array.allSatisfy { $0["problem"].string == nil }
      }
    }
  }
}

/// Inside a stream's body, where only its own errors may be thrown.
private func attempt(_ body: () async throws -> Void) async {
  do {
    try await body()
  } catch {
    Issue.record("\(error)")
  }
}

extension ClusterFixture {
  /// The status a stream ends with when it claims to be of `node`; nil when it is served.
  fileprivate func code(_ token: String, claiming node: String) async -> CallStatus.Code? {
    do {
      try await DiscoveryStream.open(try settings(token: token)) { stream throws(ControlError) in
        try await stream.send(
          .with {
            $0.typeURL = NodeStream.address
            $0.node.id = "ztunnel~10.0.0.9~agent.e2e~e2e.svc.cluster.local"
            $0.node.metadata.fields["NODE_NAME"] = .init(stringValue: node)
          })
        _ = try await stream.next()
      }
      return nil
    } catch ControlError.status(let status) {
      return status.code
    } catch {
      Issue.record("\(error)")
      return nil
    }
  }

  /// A definition as Istio has it, as far as a test needs.
  fileprivate func installPolicies() async throws {
    try await client.create(
      Kind.definitions,
      [
        "metadata": ["name": "authorizationpolicies.security.istio.io"],
        "spec": [
          "group": "security.istio.io", "scope": "Namespaced",
          "names": ["plural": "authorizationpolicies", "kind": "AuthorizationPolicy"],
          "versions": .list([
            [
              "name": "v1", "served": .flag(true), "storage": .flag(true),
              "schema": [
                "openAPIV3Schema": [
                  "type": "object",
                  "properties": [
                    "spec": [
                      "type": "object", "x-kubernetes-preserve-unknown-fields": .flag(true),
                    ]
                  ],
                ]
              ],
            ]
          ]),
        ],
      ])
    try await eventually("policies are served", within: .seconds(30)) {
      try await self.client.servedVersion(of: Kind.policies) != nil
    }
  }
}
