import AgentProtocol
import Linux
import Logging
import MeshModel
import Telemetry

/// The owner of the mesh model: the generation in force here, and the one that ztunnel enforces.
///
/// Where it comes from, manifests or a control plane, is not known here. ztunnel gets one generation
/// at a time: what changes until it has applied that one goes to it as one difference.
actor ModelKeeper {
  private let link: ZTunnelLink
  private let logger = Logger(label: "model")
  private(set) var index = MeshIndex(Model())
  private(set) var changedAt: WallTime?
  private(set) var enforcedGeneration: UInt64 = 0
  private(set) var rejection: String?
  private(set) var timeToEnforce: Duration?
  private(set) var enforcement = NodeMetrics.noEnforcement
  /// Whether there is a model at all: before that, nothing may be enforced.
  private(set) var hasModel = false
  private var tunnel = TunnelGeneration()
  /// Whether the ztunnel that is connected has said hello.
  private var isTunnelReady = false
  /// The generation it came with; 0 when it knows no mesh.
  private var generationHeld: UInt64 = 0
  /// Whether what is in force here was read from disk, and nobody has said that it is still so.
  private var isUnconfirmed = false

  init(link: ZTunnelLink) { self.link = link }

  /// Puts a whole model into force, unless it says what is in force already.
  ///
  /// The number of the new generation; nil when there is none.
  func replace(with model: Model, receivedAt: Instant) -> UInt64? {
    var next = model
    next.generation = index.model.generation
    if hasModel, next == index.model { return nil }
    next.generation = nextGeneration
    return take(index.model.change(to: next), receivedAt: receivedAt)
  }

  /// Puts what an earlier node agent wrote down into force here.
  ///
  /// It writes later than it tells ztunnel: one that serves with what it was told keeps that until
  /// `confirm`, or an older policy would come back for a while.
  func restore(_ model: Model, receivedAt: Instant) {
    isUnconfirmed = true
    if isTunnelReady { tunnel.isHeldBack = generationHeld > 0 }
    _ = replace(with: model, receivedAt: receivedAt)
  }

  /// What is in force here is what ztunnel shall enforce; whether it was kept from it until now.
  func confirm() -> Bool {
    isUnconfirmed = false
    let wasHeldBack = tunnel.isHeldBack
    tunnel.isHeldBack = false
    sendWhatCameMeanwhile()
    return wasHeldBack
  }

  /// Puts a difference to the generation in force into force; its own number is not looked at.
  func apply(_ change: ModelChange, receivedAt: Instant) -> UInt64? {
    if hasModel, change.isEmpty { return nil }
    var change = change
    change.generation = nextGeneration
    return take(change, receivedAt: receivedAt)
  }

  private func take(_ change: ModelChange, receivedAt: Instant) -> UInt64 {
    let before = index.model.generation
    index = index.applying(change)
    changedAt = WallClock.now()
    hasModel = true
    tunnel.received(change.generation, at: receivedAt)
    guard isTunnelReady, tunnel.isIdle else { return change.generation }
    if tunnel.base?.generation == before {
      send(change, isWhole: false)
    } else {
      sendWhatCameMeanwhile()
    }
    return change.generation
  }

  private var nextGeneration: UInt64 {
    ModelKeeper.generation(after: index.model.generation, generationHeld)
  }

  /// Above our own and what ztunnel says it has, unless that is no number anybody counted to.
  static func generation(after own: UInt64, _ held: UInt64) -> UInt64 {
    (held < Limit.generationsCounted ? max(own, held) : own) + 1
  }

  // MARK: ztunnel

  /// Gives a ztunnel that just connected the whole model, numbered above what it has.
  func tunnelConnected(holding generation: UInt64) {
    isTunnelReady = true
    generationHeld = generation
    tunnel = TunnelGeneration()
    tunnel.isHeldBack = isUnconfirmed && generation > 0
    guard hasModel else { return }
    if index.model.generation <= generation {
      var next = index.model
      next.generation = nextGeneration
      index = index.applying(index.model.change(to: next))
    }
    tunnel.received(index.model.generation, at: MonotonicClock.now())
    sendWhatCameMeanwhile()
  }

  private func send(_ change: ModelChange, isWhole: Bool) {
    do throws(PieceError) {
      let messages = try AgentMessage.pieces(of: change)
      for message in messages { link.send(message) }
      tunnel.sent(index.model, isWhole: isWhole)
    } catch {
      logger.error(
        "a generation cannot be told to ztunnel",
        metadata: ["generation": "\(change.generation)", "reason": "\(error)"])
      rejection = "generation \(change.generation): \(error)"
    }
  }

  func applied(_ generation: UInt64, at now: Instant) {
    enforcedGeneration = generation
    rejection = nil
    for duration in tunnel.applied(generation, at: now) {
      timeToEnforce = duration
      enforcement.observe(duration.seconds)
    }
    sendWhatCameMeanwhile()
  }

  func rejected(_ generation: UInt64, reason: String) {
    rejection = "generation \(generation): \(reason)"
    // A difference it had nothing for is made good by the whole; a whole is not sent twice.
    if tunnel.rejected(generation) { sendWhatCameMeanwhile() }
  }

  private func sendWhatCameMeanwhile() {
    guard isTunnelReady, tunnel.isIdle else { return }
    guard let base = tunnel.base else { return send(index.model.wholeChange, isWhole: true) }
    guard base.generation < index.model.generation else { return }
    send(base.change(to: index.model), isWhole: false)
  }

  func tunnelLost() {
    isTunnelReady = false
    enforcedGeneration = 0
    tunnel = TunnelGeneration()
  }

  /// The model's part of status, without what the manifests say.
  var status: ModelStatus {
    ModelStatus(
      generation: index.model.generation, enforcedGeneration: enforcedGeneration,
      timeToEnforceMilliseconds: timeToEnforce.map { $0.seconds * 1_000 },
      changedAt: changedAt?.timestamp, workloads: index.model.workloads.count,
      services: index.model.services.count, policies: index.model.policies.count,
      isStale: false, errors: 0, refused: 0, warnings: 0, diagnostics: [], rejection: rejection)
  }
}

/// Which generation one ztunnel has been told, and when those it does not enforce yet arrived.
struct TunnelGeneration {
  /// The model as this ztunnel knows it once it has applied what was sent; nil before the first.
  private(set) var base: Model?
  /// Sent, and neither applied nor refused yet.
  private var underWay: UInt64?
  private var isWholeUnderWay = false
  private var receivedAt: [UInt64: Instant] = [:]
  /// Whether it keeps what an earlier node agent told it, which may be newer than what is known here.
  var isHeldBack = false

  /// Whether the next generation may be sent.
  var isIdle: Bool { underWay == nil && !isHeldBack }

  /// A generation came into force here; of too many, only the latest are timed.
  mutating func received(_ generation: UInt64, at now: Instant) {
    if receivedAt.count >= Limit.generationsPending { receivedAt = [:] }
    receivedAt[generation] = now
  }

  mutating func sent(_ model: Model, isWhole: Bool) {
    base = model
    underWay = model.generation
    isWholeUnderWay = isWhole
  }

  /// How long each generation took that is enforced from now on, in their order.
  mutating func applied(_ generation: UInt64, at now: Instant) -> [Duration] {
    if let waiting = underWay, waiting <= generation { underWay = nil }
    let done = receivedAt.filter { $0.key <= generation }.sorted { $0.key < $1.key }
    receivedAt = receivedAt.filter { $0.key > generation }
    return done.map { now.since($0.value) }
  }

  /// True when the whole model is to be sent now: what this ztunnel holds is not known any more.
  mutating func rejected(_ generation: UInt64) -> Bool {
    receivedAt = receivedAt.filter { $0.key > generation }
    guard underWay == generation else { return false }
    underWay = nil
    base = nil
    return !isWholeUnderWay
  }
}
