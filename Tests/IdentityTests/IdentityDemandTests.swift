import Identity
import MeshModel
import Testing

private func id(_ account: String) -> SPIFFEID {
  SPIFFEID(trustDomain: "cluster.local", namespace: "shop", serviceAccount: account)
}

@Suite struct `A node needs one certificate per service account of its pods` {
  @Test func `the first pod of an account needs it, the last one to leave ends that`() {
    var demand = IdentityDemand()
    #expect(demand.setIdentity(id("cart"), ofPod: "a") == [.needed(id("cart"))])
    #expect(demand.setIdentity(id("cart"), ofPod: "b").isEmpty)
    #expect(demand.setIdentity(nil, ofPod: "a").isEmpty)
    #expect(demand.identities == [id("cart")])
    #expect(demand.setIdentity(nil, ofPod: "b") == [.notNeeded(id("cart"))])
    #expect(demand.identities.isEmpty)
  }

  @Test func `a pod that changes its account needs the new before it lets go of the old`() {
    var demand = IdentityDemand()
    _ = demand.setIdentity(id("cart"), ofPod: "a")
    #expect(
      demand.setIdentity(id("ads"), ofPod: "a") == [.needed(id("ads")), .notNeeded(id("cart"))])
    #expect(demand.identity(ofPod: "a") == id("ads"))
  }

  @Test func `saying the same twice changes nothing`() {
    var demand = IdentityDemand()
    _ = demand.setIdentity(id("cart"), ofPod: "a")
    #expect(demand.setIdentity(id("cart"), ofPod: "a").isEmpty)
    #expect(demand.setIdentity(nil, ofPod: "unknown").isEmpty)
    #expect(demand.setIdentity(nil, ofPod: "a") == [.notNeeded(id("cart"))])
  }
}
