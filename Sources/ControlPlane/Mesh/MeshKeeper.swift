import Linux
import MeshCompiler
import MeshModel
import XDS

/// The owner of the mesh: the last good generation, and what is wrong with the manifests on disk.
actor MeshKeeper {
  /// What a change of the manifests led to.
  enum Outcome {
    case changed(generation: UInt64)
    /// The same mesh as before.
    case unchanged
    /// The manifests have errors; the last good generation stays.
    case refused([Diagnostic])
  }

  private let publisher: Publisher
  private var model = Model()
  private var pods: [PodPlacement] = []
  private var placements = Placements()
  private var resources: ResourceSet?
  private(set) var diagnostics: [Diagnostic] = []
  private(set) var isStale = false
  private(set) var changedAt: WallTime?
  private(set) var compilation = Duration.zero

  init(publisher: Publisher) {
    self.publisher = publisher
  }

  /// Puts good manifests that mean something new into force, and tells every stream.
  ///
  /// - change: what turns the model that was good last into this one; nil: to be found out here.
  func take(
    _ compiled: Compilation, _ change: ModelChange? = nil, readAt: Instant
  ) -> Outcome {
    diagnostics = compiled.diagnostics
    isStale = compiled.hasErrors
    if isStale { return .refused(compiled.diagnostics) }
    var next = compiled.model
    next.generation = model.generation
    var change = change ?? model.change(to: next)
    if resources != nil, change.isEmpty, compiled.pods == pods { return .unchanged }
    next.generation += 1
    change.generation = next.generation
    let set = resources?.updated(with: change) ?? ResourceSet(next)
    if compiled.pods != pods { placements = Placements(compiled.pods) }
    (model, pods, resources, changedAt) = (next, compiled.pods, set, WallClock.now())
    compilation = MonotonicClock.now().since(readAt)
    publisher.publish(Publication(resources: set, placements: placements, readAt: readAt))
    return .changed(generation: next.generation)
  }

  var counts: (workloads: Int, services: Int, policies: Int) {
    (model.workloads.count, model.services.count, model.policies.count)
  }

  /// What is in the mesh and cannot be sent.
  var omitted: [RejectedResource] { resources?.omitted ?? [] }
}
