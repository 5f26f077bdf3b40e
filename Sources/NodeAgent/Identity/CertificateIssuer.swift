import AgentProtocol
import CertificateAuthority
import Identity
import Linux
import Logging
import MeshModel

/// The owner of the certificate authority: answers ztunnel's requests for identities of this node.
actor CertificateIssuer {
  private var authority: CertificateAuthority
  private let lifetime: Duration
  private let logger = Logger(label: "identity")
  /// The last chain of each identity, to send again with other roots.
  private var chains: [SPIFFEID: [[UInt8]]] = [:]
  private(set) var issued: UInt64 = 0
  private(set) var refused: UInt64 = 0
  /// Why the authority's files were not taken over; nil while they are good.
  private(set) var problem: String?

  init(directory: String, trustDomain: String, lifetime: Duration) throws(AuthorityError) {
    authority = try CertificateAuthority(
      directory: directory, trustDomain: trustDomain, now: WallClock.now())
    self.lifetime = lifetime
  }

  /// Signs only for `identities`, those of the pods enrolled on this node.
  func answer(_ request: SigningRequest, identities: Set<SPIFFEID>) -> AgentMessage {
    let identity = request.identity
    guard identities.contains(identity) else {
      return refuse(identity, "no enrolled pod of this node has this identity")
    }
    do throws(SigningError) {
      let signed = try authority.sign(
        request.request, for: identity, lifetime: lifetime, now: WallClock.now())
      issued += 1
      chains[identity] = signed.chain
      logger.info(
        "certificate issued",
        metadata: [
          "identity": "\(identity)", "serial": "\(signed.facts.serialNumber)",
          "not_after": "\(signed.facts.notAfter.timestamp)",
        ])
      return .certificate(
        IssuedCertificate(identity: identity, chain: signed.chain, roots: signed.roots))
    } catch {
      return refuse(identity, "\(error)")
    }
  }

  private func refuse(_ identity: SPIFFEID, _ reason: String) -> AgentMessage {
    refused += 1
    logger.warning(
      "certificate refused", metadata: ["identity": "\(identity)", "reason": "\(reason)"])
    return .certificateRefused(identity: identity, reason: reason)
  }

  /// Takes over changed files; the certificates in use again, with the roots of now.
  ///
  /// The chains of others than `identities` are forgotten.
  func reload(identities: Set<SPIFFEID>) -> [AgentMessage] {
    chains = chains.filter { identities.contains($0.key) }
    let roots = authority.roots
    do throws(AuthorityError) {
      let hasChanged = try authority.reloadIfChanged(now: WallClock.now())
      problem = nil
      guard hasChanged else { return [] }
    } catch {
      if problem != "\(error)" {
        logger.error("certificate authority not reloaded", metadata: ["reason": "\(error)"])
      }
      problem = "\(error)"
      return []
    }
    logger.info("certificate authority reloaded", metadata: ["roots": "\(authority.roots.count)"])
    guard authority.roots != roots else { return [] }
    return chains.sorted { $0.key.description < $1.key.description }.map { identity, chain in
      .certificate(IssuedCertificate(identity: identity, chain: chain, roots: authority.roots))
    }
  }
}
