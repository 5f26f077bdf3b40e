import MeshCompiler
import MeshModel
import Testing

@testable import NodeAgent

private func pod(
  _ name: String, uid: String? = nil, netns: String? = "/run/netns/x", address: String = "10.0.0.1",
  workload: String? = nil
) throws -> DesiredPod {
  DesiredPod(
    uid: uid ?? name, workloadUID: workload ?? "k//Pod/shop/\(name)", namespace: "shop", name: name,
    networkNamespace: netns, addresses: [try #require(IPAddress(address))],
    identity: SPIFFEID(trustDomain: "t", namespace: "shop", serviceAccount: name))
}

@Suite struct `Enrolment plan: desired minus current` {
  @Test func `begins what is new, in the order of names`() throws {
    let actions = enrolmentPlan(desired: [try pod("b"), try pod("a")], current: [:])
    #expect(actions == [.begin(try pod("a")), .begin(try pod("b"))])
  }

  @Test func `releases what is gone before anything else`() throws {
    let actions = enrolmentPlan(desired: [try pod("a")], current: ["z": try pod("z")])
    #expect(actions == [.release(uid: "z"), .begin(try pod("a"))])
  }

  @Test func `does nothing when all is as wanted`() throws {
    #expect(enrolmentPlan(desired: [try pod("a")], current: ["a": try pod("a")]).isEmpty)
  }

  @Test func `updates a pod that stays where it is`() throws {
    let changed = try pod("a", address: "10.0.0.2")
    #expect(enrolmentPlan(desired: [changed], current: ["a": try pod("a")]) == [.update(changed)])
  }

  @Test func `replaces a pod that moved to another namespace or workload`() throws {
    let moved = try pod("a", netns: "/run/netns/y")
    let renamed = try pod("a", workload: "k//Pod/shop/other")
    #expect(enrolmentPlan(desired: [moved], current: ["a": try pod("a")]) == [.replace(moved)])
    #expect(enrolmentPlan(desired: [renamed], current: ["a": try pod("a")]) == [.replace(renamed)])
  }

  @Test func `updates a pod of a cluster whose call came, went or named another namespace`() throws
  {
    for path in [nil, "/run/netns/y"] {
      let called = try pod("a", netns: path)
      let actions = enrolmentPlan(
        desired: [called], current: ["a": try pod("a")], namespaceSource: .controlGroups)
      #expect(actions == [.update(called)])
    }
  }

  @Test func `takes the first of two pods with one uid`() throws {
    let first = try pod("a", uid: "1")
    let actions = enrolmentPlan(desired: [first, try pod("b", uid: "1")], current: [:])
    #expect(actions == [.begin(first)])
  }

  @Test func `wants only enrolled pods of this node`() throws {
    func placement(_ name: String, node: String, _ enrolment: Enrolment) -> PodPlacement {
      PodPlacement(
        uid: name, workloadUID: name, namespace: "shop", name: name, node: node,
        networkNamespace: nil, addresses: [],
        identity: SPIFFEID(trustDomain: "t", namespace: "shop", serviceAccount: "d"),
        enrolment: enrolment)
    }
    let pods = desiredPods(
      of: [
        placement("here", node: "a", .enrolled), placement("there", node: "b", .enrolled),
        placement("out", node: "a", .notEnrolled(.optedOut)),
      ], on: "a")
    #expect(pods.map(\.name) == ["here"])
  }
}
