import ControlAPI
import KubernetesClient
import KubernetesHarness
import Linux
import MeshCompiler
import MeshModel
import Synchronization
import Testing
import TestSupport

@testable import ControlPlane

/// What a cluster came to mean, generation by generation.
private actor Meanings {
  private(set) var all: [Compilation] = []
  func add(_ compilation: Compilation) { all.append(compilation) }
  var names: [String] { all.last?.model.workloads.values.map(\.name).sorted() ?? [] }
}

private func pod(_ name: String, ip: String, version: Int) -> String {
  """
  {"metadata":{"name":"\(name)","namespace":"shop","uid":"uid-\(name)",\
  "resourceVersion":"\(version)"},"spec":{"nodeName":"a","serviceAccountName":"web"},\
  "status":{"phase":"Running","podIPs":[{"ip":"\(ip)"}]}}
  """
}

/// Every resource is served and empty but for what `lists` has for its plural.
@Sendable private func answer(
  _ request: ScriptedServer.Request, _ lists: [String: String], _ feeds: [String: Feed]
) -> [ScriptedServer.Piece] {
  let plural = String(request.path.split(separator: "/").last ?? "")
  guard let kind = WatchedKind.all.first(where: { $0.resource.plural == plural }) else {
    let names = WatchedKind.all.map { "{\"name\":\"\($0.resource.plural)\"}" }
    return [.ok("{\"resources\":[\(names.joined(separator: ","))]}")]
  }
  if request.isWatch { return [.stream] + (feeds[kind.resource.plural].map { [.feed($0)] } ?? []) }
  return [.ok(lists[plural] ?? list(1, []))]
}

@Suite(.fewAtOnce) struct `A cluster over its API` {
  @Test func `is served once everything was read, and again when something changes`() async throws {
    let pods = Feed()
    let policies = Mutex(false)
    try await ScriptedServer.run { request in
      let isPolicy = request.path.hasSuffix("/authorizationpolicies")
      if isPolicy, !policies.withLock({ $0 }) { return [.answer(503, "{}")] }
      return answer(
        request, ["pods": list(1, [pod("web-1", ip: "10.0.0.1", version: 1)])], ["pods": pods])
    } _: { server in
      try await server.client { client in
        let cluster = Cluster(options: CompilerOptions())
        let meanings = Meanings()
        let run = Task {
          await ClusterWatch(client: client, cluster: cluster).run { compilation, _, _ in
            await meanings.add(compilation)
          }
        }
        try await waitFor { await cluster.problems.count == 1 }
        #expect(await cluster.problems[0].hasPrefix("AuthorizationPolicy: not read yet"))
        // The pod is known, and nobody is told of it before the policies are.
        #expect(await meanings.all.isEmpty)
        policies.withLock { $0 = true }
        try await waitFor { await meanings.names == ["web-1"] }
        #expect(await cluster.isSynced)
        try await waitFor { pods.isAttached }
        pods.send(line("ADDED", pod("web-2", ip: "10.0.0.2", version: 2)))
        try await waitFor { await meanings.names == ["web-1", "web-2"] }
        pods.send(line("DELETED", pod("web-1", ip: "10.0.0.1", version: 3)))
        try await waitFor { await meanings.names == ["web-2"] }
        run.cancel()
        await run.value
      }
    }
  }
}

@Suite(.fewAtOnce) struct `A token that the API server reviews` {
  private static let agent = user("kube-agents:agent", pod: ("agent-x", "1-2"))

  private static func user(_ account: String, pod: (String, String)? = nil) -> String {
    let extra = pod.map { name, uid in
      """
      ,"extra":{"authentication.kubernetes.io/pod-name":["\(name)"],\
      "authentication.kubernetes.io/pod-uid":["\(uid)"]}
      """
    }
    return """
      {"status":{"authenticated":true,"audiences":["istio-ca"],"user":{"username":\
      "system:serviceaccount:\(account)"\(extra ?? "")}}}
      """
  }

  struct Row: Sendable, CustomTestStringConvertible {
    var testDescription: String
    var review: String
    /// What the API says of the pod.
    var pod = "{}"
    /// What the mesh has of it.
    var known: String?
    var role: Caller.Role?
    var failure: AuthenticationFailure?
    var requests = 1
  }

  @Test(arguments: [
    Row(
      testDescription: "of an agent's pod is its node", review: agent, known: "a",
      role: .node("a")),
    Row(
      testDescription: "of a pod newer than the mesh is the node the API says", review: agent,
      pod: #"{"metadata":{"uid":"1-2"},"spec":{"nodeName":"b"}}"#, role: .node("b"), requests: 2),
    Row(
      testDescription: "of a pod that was replaced is no node", review: agent,
      pod: #"{"metadata":{"uid":"1-3"},"spec":{"nodeName":"b"}}"#,
      failure: .nodeUnknown(subject: "system:serviceaccount:kube-agents:agent"), requests: 2),
    Row(
      testDescription: "of an agent without a pod is no node", review: user("kube-agents:agent"),
      failure: .nodeUnknown(subject: "system:serviceaccount:kube-agents:agent")),
    Row(
      testDescription: "of any other account is a workload",
      review: user("shop:web", pod: ("web-1", "1")),
      role: .workload(
        SPIFFEID(trustDomain: "cluster.local", namespace: "shop", serviceAccount: "web"))),
    Row(
      testDescription: "that it does not vouch for is nobody",
      review: #"{"status":{"error":"expired"}}"#, failure: .refusedByReview),
    Row(
      testDescription: "of no service account is nobody",
      review:
        #"{"status":{"authenticated":true,"audiences":["istio-ca"],"user":{"username":"me"}}}"#,
      failure: .nodeUnknown(subject: "me")),
  ])
  func `whoever has it`(row: Row) async throws {
    try await ScriptedServer.run { request in
      request.method == "POST" ? [.answer(201, row.review)] : [.ok(row.pod)]
    } _: { server in
      try await server.client { client in
        let tokens = ReviewedTokens(
          client: client, audience: "istio-ca", trustDomain: "cluster.local",
          nodeAccounts: ["kube-agents/agent"],
          nodeOfPod: { pod in
            #expect(pod == PodReference(namespace: "kube-agents", name: "agent-x", uid: "1-2"))
            return row.known
          })
        let peer = Peer(address: "ipv4:127.0.0.1:1", bearerToken: "t")
        do throws(AuthenticationFailure) {
          let caller = try await tokens.caller(of: peer, at: WallClock.now())
          #expect(caller?.role == row.role && row.failure == nil)
        } catch {
          #expect(error == row.failure)
        }
        #expect(server.requests.count == row.requests)
      }
    }
  }

  @Test func `is asked about once in a while, and another each time`() async throws {
    try await ScriptedServer.run { _ in
      [.answer(201, Self.agent)]
    } _: { server in
      try await server.client { client in
        let tokens = ReviewedTokens(
          client: client, audience: "istio-ca", trustDomain: "cluster.local",
          nodeAccounts: ["kube-agents/agent"], age: .seconds(3_600), nodeOfPod: { _ in "a" })
        for token in ["t", "t", "u", "t"] {
          let peer = Peer(address: "ipv4:127.0.0.1:1", bearerToken: token)
          _ = try await tokens.caller(of: peer, at: WallClock.now())
        }
        #expect(server.requests.count == 2)
        let silent = Peer(address: "ipv4:127.0.0.1:1")
        #expect(try await tokens.caller(of: silent, at: WallClock.now()) == nil)
      }
    }
  }
}
