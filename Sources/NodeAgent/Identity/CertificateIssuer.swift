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
  /// To send again with other roots.
  private var chains: IssuedChains
  /// Where the chains outlive this process; nil once the node is on its way out.
  private var file: String?
  private var isFileBehind = false
  private(set) var issued: UInt64 = 0
  private(set) var refused: UInt64 = 0
  /// Why the authority's files were not taken over; nil while they are good.
  private(set) var problem: String?

  /// - file: where the chains of an earlier node agent of this node are.
  init(
    directory: String, trustDomain: String, lifetime: Duration, file: String
  ) throws(AuthorityError) {
    authority = try CertificateAuthority(
      directory: directory, trustDomain: trustDomain, now: WallClock.now())
    self.lifetime = lifetime
    self.file = file
    chains = IssuedChains()
    do {
      if File.exists(file) { chains = try IssuedChains(decoding: File.read(file)) }
    } catch {
      // Only a change of roots comes later for it, with the next renewal.
      logger.warning("certificates of before not read", metadata: ["reason": "\(error)"])
    }
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
      let certificate = IssuedCertificate(
        identity: identity, chain: signed.chain, roots: signed.roots)
      chains.add(certificate)
      isFileBehind = true
      logger.info(
        "certificate issued",
        metadata: [
          "identity": "\(identity)", "serial": "\(signed.facts.serialNumber)",
          "not_after": "\(signed.facts.notAfter.timestamp)",
        ])
      return .certificate(certificate)
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

  /// What a ztunnel that holds certificates of `identities` has to trust anew: roots may have changed
  /// while it was not connected, or while there was no node agent.
  func greeting(holding identities: [SPIFFEID]) -> [AgentMessage] {
    chains.outdated(among: identities, trusting: authority.roots)
  }

  /// Takes over changed files; the certificates in use again, with the roots of now.
  ///
  /// The chains of others than `identities` are forgotten, once there are any.
  func reload(identities: Set<SPIFFEID>) -> [AgentMessage] {
    if !identities.isEmpty, chains.keep(identities) { isFileBehind = true }
    save()
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
    return chains.trusting(authority.roots)
  }

  private func save() {
    guard let file, isFileBehind else { return }
    do throws(LinuxError) {
      try File.replace(file, with: chains.encoded)
      isFileBehind = false
    } catch {
      logger.error("certificates not kept", metadata: ["reason": "\(error)"])
    }
  }

  /// Removes the file; nothing is kept from now on.
  func forgetFile() throws(LinuxError) {
    guard let file else { return }
    self.file = nil
    try File.remove(file)
  }
}
