import AgentProtocol
import CertificateAuthority
import Identity
import Linux
import Logging
import MeshModel
import Telemetry

/// The owner of ztunnel's requests for certificates: each is answered, in its turn and once.
///
/// `SigningQueue` decides whose turn it is, a `CertificateSigner` signs. ztunnel itself asks again
/// after a refusal, later each time, and keeps a certificate that is still valid.
actor CertificateIssuer {
  /// Why an identity has no new certificate.
  struct Failure: Equatable {
    var reason: String
    var at: WallTime
    var times: UInt64
  }

  private let signer: any CertificateSigner
  private let lifetime: Duration
  private let send: @Sendable (AgentMessage) -> Void
  private let logger = Logger(label: "identity")
  private var queue = SigningQueue()
  /// Which identities may be asked for, and which of them serve already.
  private var demand = CertificateDemand()
  /// Until when the certificates that ztunnel holds are valid, as far as is known here.
  private var held: [SPIFFEID: WallTime] = [:]
  /// Tells an answer to a ztunnel that is gone.
  private var connection: UInt64 = 0
  /// To send again with other roots.
  private var chains: IssuedChains
  /// Where the chains outlive this process; nil once the node is on its way out.
  private var file: String?
  private var isFileBehind = false
  private var roots: [[UInt8]]?
  private(set) var failures: [SPIFFEID: Failure] = [:]
  private(set) var issued: UInt64 = 0
  private(set) var refused: UInt64 = 0
  /// Why the authority's files were not taken over; nil while they are good.
  private(set) var problem: String?

  /// - roots: those to trust now; nil when they come with the first certificate.
  /// - file: where the chains of an earlier node agent of this node are.
  init(
    signer: any CertificateSigner, roots: [[UInt8]]?, lifetime: Duration, file: String,
    send: @escaping @Sendable (AgentMessage) -> Void
  ) {
    self.signer = signer
    self.roots = roots
    self.lifetime = lifetime
    self.file = file
    self.send = send
    chains = IssuedChains()
    do {
      if File.exists(file) { chains = try IssuedChains(decoding: File.read(file)) }
    } catch {
      // Only a change of roots comes later for it, with the next renewal.
      logger.warning("certificates of before not read", metadata: ["reason": "\(error)"])
    }
  }

  nonisolated var authority: String { signer.place }
  var waitingCount: Int { queue.waitingCount }
  var underWayCount: Int { queue.underWayCount }

  /// Certificates of every authority known here, to check the signatures of revocation lists with.
  var authorities: [[UInt8]] { (roots ?? []) + chains.authorities }

  // MARK: Requests

  /// Answers sooner or later, only for identities of pods enrolled on this node.
  func request(_ request: SigningRequest, demand: CertificateDemand) {
    self.demand = demand
    let identity = request.identity
    guard demand.identities.contains(identity) else { return refuse(identity, .notOurs) }
    let displaced = queue.add(
      SigningQueue.Request(identity: identity, bytes: request.request),
      at: MonotonicClock.now(), urgency: urgency)
    if let displaced { refuse(displaced, .tooManyWait) }
    startSigning()
  }

  private func urgency(of identity: SPIFFEID) -> SigningUrgency {
    if let end = held[identity], WallClock.now() < end { return .renewal }
    return demand.serving.contains(identity) ? .needed : .warmUp
  }

  private func startSigning() {
    while let next = queue.next(urgency: urgency) {
      let connection = connection
      Task { await sign(next, for: connection) }
    }
  }

  private func sign(_ request: SigningQueue.Request, for connection: UInt64) async {
    let identity = request.identity
    let outcome: Result<IssuedChain, SigningFailure>
    do throws(SigningFailure) {
      outcome = .success(try await signer.sign(request.bytes, for: identity, lifetime: lifetime))
    } catch {
      outcome = .failure(error)
    }
    queue.finished(identity)
    // The key of a request is gone with the ztunnel, or the connection, that made it.
    if connection == self.connection {
      switch outcome {
      case .success(let signed): deliver(signed, for: identity)
      case .failure(let failure): refuse(identity, failure)
      }
    }
    startSigning()
  }

  private func deliver(_ signed: IssuedChain, for identity: SPIFFEID) {
    issued += 1
    failures[identity] = nil
    held[identity] = signed.facts.notAfter
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
    send(.certificate(certificate))
    if let roots, roots != signed.roots { trust(signed.roots, except: identity) }
    roots = signed.roots
  }

  private func refuse(_ identity: SPIFFEID, _ failure: SigningFailure) {
    refused += 1
    let times = (failures[identity]?.times ?? 0) + 1
    failures[identity] = Failure(reason: "\(failure)", at: WallClock.now(), times: times)
    logger.warning(
      "certificate refused", metadata: ["identity": "\(identity)", "reason": "\(failure)"])
    send(.certificateRefused(identity: identity, reason: "\(failure)"))
  }

  // MARK: ztunnel

  /// A ztunnel connected that holds certificates of `identities`.
  ///
  /// Roots may have changed while it was not connected, or while there was no node agent.
  func tunnelConnected(holding identities: [SPIFFEID]) {
    let known = held
    held = [:]
    // One whose end is not known here was issued by an earlier node agent: it is good enough.
    for identity in identities {
      held[identity] = known[identity] ?? WallTime(secondsSinceEpoch: .infinity)
    }
    guard let roots else { return }
    for message in chains.outdated(among: identities, trusting: roots) { send(message) }
  }

  /// What has not been signed is asked for again by the next one.
  func tunnelLost() {
    connection += 1
    queue.removeWaiting()
  }

  // MARK: Time

  /// Looks at the clock, at the pods, and at the authority's files.
  ///
  /// The chains of others than `identities` are forgotten, once there are any.
  func tick(demand: CertificateDemand) async {
    self.demand = demand
    for identity in queue.expire(at: MonotonicClock.now()) { refuse(identity, .waitedTooLong) }
    startSigning()
    if !demand.identities.isEmpty {
      if chains.keep(demand.identities) { isFileBehind = true }
      failures = failures.filter { demand.identities.contains($0.key) }
    }
    save()
    do throws(SigningFailure) {
      let changed = try await signer.changedRoots()
      problem = nil
      guard let changed else { return }
      logger.info("certificate authority reloaded", metadata: ["roots": "\(changed.count)"])
      roots = changed
      trust(changed, except: nil)
    } catch {
      if problem != "\(error)" {
        logger.error("certificate authority not reloaded", metadata: ["reason": "\(error)"])
      }
      problem = "\(error)"
    }
  }

  private func trust(_ roots: [[UInt8]], except identity: SPIFFEID?) {
    for message in chains.trusting(roots) {
      if case .certificate(let certificate) = message, certificate.identity == identity { continue }
      send(message)
    }
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

/// Whose certificates are wanted here, as the pods of this node have it.
struct CertificateDemand: Equatable, Sendable {
  /// Those that may be asked for.
  var identities: Set<SPIFFEID> = []
  /// Those among them with a pod that serves: connections wait for them.
  var serving: Set<SPIFFEID> = []
}
