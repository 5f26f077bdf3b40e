import ControlAPI
import Testing
import TestSupport

@testable import ControlPlane

/// Callers from addresses that a test on one machine does not have.
@Suite(.fewAtOnce) struct `Strangers` {
  /// Both desks of a control plane; what each says to a peer.
  private struct Desks {
    let certificates: CertificateDesk
    let discovery: DiscoveryDesk

    init(_ core: Core) {
      certificates = CertificateDesk(
        authentication: core.authentication, signer: core.signer, publisher: core.publisher,
        trustDomain: "cluster.local", lifetimes: core.settings.lifetimes, counters: core.counters)
      discovery = DiscoveryDesk(
        authentication: core.authentication, publisher: core.publisher, register: core.register,
        counters: core.counters)
    }

    /// Nil: it is let in.
    func certificate(for peer: Peer) async -> CallStatus.Code? {
      do throws(CallStatus) {
        _ = try await certificates.session(for: peer)
        return nil
      } catch {
        return error.code
      }
    }

    func stream(for peer: Peer) async -> CallStatus.Code? {
      do throws(CallStatus) {
        _ = try await discovery.session(for: peer)
        return nil
      } catch {
        return error.code
      }
    }
  }

  private func stranger(_ host: String) -> Peer {
    Peer(address: "ipv4:\(host):4000", bearerToken: "token-of-nobody-at-all")
  }

  private let node = Peer(address: "ipv4:10.0.0.1:4000", bearerToken: Plane.tokens["a"])

  @Test func `cannot use up what nodes need`() async throws {
    try await Plane.run { plane in
      let desks = Desks(plane.core)
      for _ in 0..<5_000 {
        _ = await desks.certificate(for: stranger("10.6.6.6"))
        _ = await desks.stream(for: stranger("10.6.6.6"))
      }
      #expect(await desks.certificate(for: node) == nil)
      #expect(await desks.stream(for: node) == nil)
    }
  }

  @Test func `are told to come later when they have tried too often, and one by one`() async throws
  {
    try await Plane.run { plane in
      let desks = Desks(plane.core)
      func codes(_ host: String, _ count: Int) async -> Set<CallStatus.Code?> {
        var codes: Set<CallStatus.Code?> = []
        for _ in 0..<count { codes.insert(await desks.certificate(for: stranger(host))) }
        return codes
      }
      #expect(await codes("10.6.6.6", 100) == [.unauthenticated])
      #expect(await codes("10.6.6.6", 2_000) == [.unauthenticated, .resourceExhausted])
      #expect(await codes("10.6.6.7", 100) == [.unauthenticated])
      // Proof is taken from there all the same, as soon as there is a share again.
      var neighbour = node
      neighbour.address = stranger("10.6.6.6").address
      let peer = neighbour
      try await waitFor { await desks.certificate(for: peer) == nil }
      #expect(plane.core.counters.values.authenticationFailures["too_many_attempts"] ?? 0 > 0)
    }
  }
}
