import AgentProtocol
import Linux
import Manifests
import MeshCompiler
import MeshModel

/// The owner of the mesh model: the last good generation, what is wrong with the manifests on disk,
/// and which generation ztunnel enforces.
actor ModelKeeper {
  /// What a change of the manifests led to.
  enum Outcome {
    /// A new generation, of which ztunnel was told: look at the pods.
    case changed(generation: UInt64, [PodPlacement])
    /// The same mesh as before.
    case unchanged
    /// The manifests have errors; the last good generation stays.
    case refused([Diagnostic])
  }

  private let options: CompilerOptions
  private let link: ZTunnelLink
  private(set) var index = MeshIndex(Model())
  private(set) var placements: [PodPlacement] = []
  private(set) var diagnostics: [Diagnostic] = []
  private(set) var isStale = false
  private(set) var changedAt: WallTime?
  private(set) var enforcedGeneration: UInt64 = 0
  private(set) var rejection: String?
  private(set) var timeToEnforce: Duration?
  private(set) var enforcement = NodeMetrics.noEnforcement
  /// When the manifests of generations not yet enforced were read.
  private var pending: [UInt64: Instant] = [:]
  private var hasModel = false
  /// Whether the ztunnel that is connected has said hello.
  private var isTunnelReady = false
  /// The generation it came with.
  private var generationHeld: UInt64 = 0

  init(options: CompilerOptions, link: ZTunnelLink) {
    self.options = options
    self.link = link
  }

  /// Makes a new generation of good manifests that mean something new, and tells ztunnel.
  func take(_ snapshot: ManifestSnapshot, readAt: Instant) -> Outcome {
    let compilation = snapshot.compiled(options: options)
    diagnostics = compilation.diagnostics
    isStale = compilation.hasErrors
    if compilation.hasErrors { return .refused(compilation.diagnostics) }
    var next = compilation.model
    next.generation = index.model.generation
    if hasModel, next == index.model, compilation.pods == placements { return .unchanged }
    next.generation = ModelKeeper.generation(after: index.model.generation, generationHeld)
    let change = index.model.change(to: next)
    index = index.applying(change)
    // What an earlier node agent told ztunnel is unknown here: the first is whole.
    send(hasModel ? change : next.wholeChange, readAt: readAt)
    hasModel = true
    placements = compilation.pods
    changedAt = WallClock.now()
    return .changed(generation: next.generation, compilation.pods)
  }

  /// Above our own and what ztunnel says it has, unless that is no number anybody counted to.
  static func generation(after own: UInt64, _ held: UInt64) -> UInt64 {
    (held < Limit.generationsCounted ? max(own, held) : own) + 1
  }

  /// Gives a ztunnel that just connected the whole model, numbered above what it has.
  func tunnelConnected(holding generation: UInt64) {
    isTunnelReady = true
    generationHeld = generation
    guard hasModel else { return }
    if index.model.generation <= generation {
      var next = index.model
      next.generation = ModelKeeper.generation(after: index.model.generation, generation)
      index = index.applying(index.model.change(to: next))
    }
    send(index.model.wholeChange, readAt: MonotonicClock.now())
  }

  private func send(_ change: ModelChange, readAt: Instant) {
    guard isTunnelReady else { return }
    if pending.count >= Limit.generationsPending { pending = [:] }
    pending[change.generation] = readAt
    link.send(.model(change))
  }

  func applied(_ generation: UInt64, at now: Instant) {
    enforcedGeneration = generation
    rejection = nil
    if let readAt = pending[generation] {
      let duration = now.since(readAt)
      timeToEnforce = duration
      enforcement.observe(duration.seconds)
    }
    pending = pending.filter { $0.key > generation }
  }

  func rejected(_ generation: UInt64, reason: String) {
    rejection = "generation \(generation): \(reason)"
    pending[generation] = nil
  }

  func tunnelLost() {
    isTunnelReady = false
    enforcedGeneration = 0
    pending = [:]
  }

  /// The model's part of status.
  var status: ModelStatus {
    func count(_ severity: Diagnostic.Severity) -> Int {
      diagnostics.count { $0.severity == severity }
    }
    let loudFirst = diagnostics.enumerated().sorted {
      ($1.element.severity.rawValue, $0.offset) < ($0.element.severity.rawValue, $1.offset)
    }
    return ModelStatus(
      generation: index.model.generation, enforcedGeneration: enforcedGeneration,
      timeToEnforceMilliseconds: timeToEnforce.map { $0.seconds * 1_000 },
      changedAt: changedAt?.timestamp, workloads: index.model.workloads.count,
      services: index.model.services.count, policies: index.model.policies.count,
      isStale: isStale, errors: count(.error), refused: count(.refusal),
      warnings: count(.warning),
      diagnostics: loudFirst.prefix(Limit.diagnosticsShown).map { DiagnosticStatus($0.element) },
      rejection: rejection)
  }
}
