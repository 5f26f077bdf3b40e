import AgentProtocol
import Linux
import MeshModel
import TLS
import Testing

@testable import ZTunnel

@Suite struct `The keeper of identities` {
  private static let identity = SPIFFEID(
    trustDomain: "cluster.local", namespace: "shop", serviceAccount: "client")

  @Test func `takes new roots for the certificate in use while the next one is on its way`() throws
  {
    let authority = try TestAuthority()
    let other = try TestAuthority()
    var keeper = IdentityKeeper()
    #expect(keeper.setIdentity(Self.identity, ofPod: "pod").isEmpty)
    let now = WallClock.now()
    let requests = keeper.dueRequests(at: now) { 0 }
    var current = try authority.sign(try #require(requests.first))
    let held = keeper.received(current, at: now, jitter: 0)
    // Past the half of its one day.
    let renewal = WallTime(secondsSinceEpoch: now.secondsSinceEpoch + 80_000)
    let renewals = keeper.dueRequests(at: renewal) { 0 }

    current.roots.append(other.root)
    let renewed = keeper.received(current, at: renewal, jitter: 0)
    #expect(renewed?.facts == held?.facts)
    #expect(renewed?.rootCount == 2)
    #expect(keeper.records(at: renewal).map(\.state) == ["requested"])

    let answer = try authority.sign(try #require(renewals.first))
    let next = keeper.received(answer, at: renewal, jitter: 0)
    #expect(next != nil && next?.facts != held?.facts)
    #expect(keeper.records(at: renewal).map(\.state) == ["valid"])
  }
}
