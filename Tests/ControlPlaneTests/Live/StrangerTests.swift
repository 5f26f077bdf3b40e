import ControlAPI
import Testing

@testable import ControlPlane

/// Callers from addresses that a test on one machine does not have.
@Suite struct `Strangers` {
  private func certificates(_ plane: Plane) -> CertificateDesk {
    CertificateDesk(
      authentication: plane.core.authentication, signer: plane.core.signer,
      publisher: plane.core.publisher, trustDomain: "cluster.local",
      lifetimes: plane.core.settings.lifetimes, counters: plane.core.counters)
  }

  private func discovery(_ plane: Plane) -> DiscoveryDesk {
    DiscoveryDesk(
      authentication: plane.core.authentication, publisher: plane.core.publisher,
      register: plane.core.register, counters: plane.core.counters)
  }

  private func stranger(_ host: String) -> Peer {
    Peer(address: "ipv4:\(host):4000", bearerToken: "token-of-nobody-at-all")
  }

  private let node = Peer(address: "ipv4:10.0.0.1:4000", bearerToken: Plane.tokens["a"])

  @Test func `cannot use up what nodes need`() async throws {
    try await Plane.run { plane in
      let (certificates, discovery) = (certificates(plane), discovery(plane))
      for _ in 0..<5_000 {
        _ = await status { _ = try await certificates.session(for: stranger("10.6.6.6")) }
        _ = await status { _ = try await discovery.session(for: stranger("10.6.6.6")) }
      }
      #expect(await status { _ = try await certificates.session(for: node) } == nil)
      #expect(await status { _ = try await discovery.session(for: node) } == nil)
    }
  }

  @Test func `are told to come later when they have tried too often, and one by one`() async throws
  {
    try await Plane.run { plane in
      let certificates = certificates(plane)
      func codes(_ host: String, _ count: Int) async -> Set<CallStatus.Code?> {
        var codes: Set<CallStatus.Code?> = []
        for _ in 0..<count {
          codes.insert(
            await status { _ = try await certificates.session(for: stranger(host)) }?.code)
        }
        return codes
      }
      #expect(await codes("10.6.6.6", 100) == [.unauthenticated])
      #expect(await codes("10.6.6.6", 2_000) == [.unauthenticated, .resourceExhausted])
      #expect(await codes("10.6.6.7", 100) == [.unauthenticated])
      // Proof is taken from there all the same, as soon as there is a share again.
      var neighbour = node
      neighbour.address = stranger("10.6.6.6").address
      try await plane.waitFor {
        await status { _ = try await certificates.session(for: neighbour) } == nil
      }
      #expect(plane.core.counters.values.authenticationFailures["too_many_attempts"] ?? 0 > 0)
    }
  }
}
