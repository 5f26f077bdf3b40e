public import MeshModel

/// Compiles a mesh again and again, and does again only what a change can touch.
///
/// Objects come from sources, such as files or single objects of an API; each is read once.
/// The mesh is put together by namespaces: one stays as it is while its objects, and all that it is
/// told of others, are equal to those of before. So the answer depends on the objects of now alone.
public struct Compiler: Sendable {
  private var catalog: Catalog
  private var namespaces: [String: NamespaceState] = [:]
  private var mesh = MeshWide()
  private var cross = CrossFindings()
  private var workloads = Tracked<String, Workload>()
  private var services = Tracked<ServiceKey, Service>()
  private var policies = Tracked<PolicyKey, AuthorizationPolicy>()
  /// The keys of what belongs to no namespace.
  private var commonWorkloads: Set<String> = []
  private var pods: [PodPlacement] = []
  private var diagnostics: [Diagnostic] = []
  /// Whether the namespaces say something else than the two above.
  private var arePodsStale = false
  private var areDiagnosticsStale = false

  public init(options: CompilerOptions = CompilerOptions()) {
    catalog = Catalog(options)
  }

  /// Puts the objects of a source in place of those it had before.
  public mutating func update(source: String, objects: [ManifestObject]) {
    catalog.replace(source, with: Reading(objects, catalog.options))
  }

  /// Takes the objects of a source away.
  public mutating func remove(source: String) {
    catalog.replace(source, with: nil)
  }

  /// What all objects mean now.
  public mutating func compiled() -> Compilation {
    let changes = catalog.takeChanges()
    let isTooLarge = catalog.objectCount > Limit.objects
    let objects = isTooLarge ? [:] : catalog.namespaces
    for (name, state) in namespaces where objects[name] == nil { drop(name, state) }
    let members = meet(objects, changes)
    let entries = NetworkEntries(
      isTooLarge ? [] : Array(catalog.networkGateways.values), catalog.options)
    connect(objects, members, entries)
    putCommon(entries, isTooLarge: isTooLarge)
    describe(entries, changes, isTooLarge: isTooLarge)
    if arePodsStale {
      pods = namespaces.sorted { $0.key < $1.key }.flatMap { $0.value.outcome?.placements ?? [] }
      arePodsStale = false
    }
    return Compilation(
      model: Model(
        workloads: workloads.table, services: services.table, policies: policies.table),
      pods: pods, diagnostics: diagnostics)
  }

  /// The namespaces that are labelled for the mesh, with pods or without.
  public var enrolledNamespaces: Set<String> {
    Set(catalog.namespaces.values.lazy.filter { $0.isEnrolled(catalog.options) }.map(\.name))
  }

  /// What turns the model as it was compiled when this was called before into the one of now.
  ///
  /// The first time that is everything. Each list is ordered by its key; the generation is 0.
  public mutating func takeChange() -> ModelChange {
    var change = ModelChange(isFull: false, generation: 0)
    (change.workloads, change.removedWorkloads) = workloads.takeChanges()
    (change.services, change.removedServices) = services.takeChanges()
    (change.policies, change.removedPolicies) = policies.takeChanges()
    return change
  }
}

// MARK: By namespace

extension Compiler {
  /// Finds out who is in a namespace and who serves what, where that may be other than before.
  private mutating func meet(
    _ objects: [String: NamespaceObjects], _ changes: Catalog.Changes
  ) -> [String: Members] {
    var met: [String: Members] = [:]
    for (name, own) in objects {
      let surroundings = catalog.surroundings(of: own)
      let last = namespaces[name]
      let isSame =
        last?.roll.surroundings == surroundings && !changes.namespaces.contains(name)
        && (changes.nodes.isEmpty || !own.lives(onOneOf: changes.nodes))
      if isSame { continue }
      let members = Members(scope(own, surroundings))
      namespaces[name] = NamespaceState(
        roll: NamespaceState.Roll(members), outcome: last?.outcome)
      met[name] = members
    }
    return met
  }

  /// Finds out what stands before them and what applies to them, where that may be other.
  private mutating func connect(
    _ objects: [String: NamespaceObjects], _ members: [String: Members], _ entries: NetworkEntries
  ) {
    let last = mesh
    mesh = MeshWide(catalog, namespaces.values, entries)
    let isOtherMesh = mesh != last
    let all = AllNeighbours(namespaces.values)
    for (name, own) in objects {
      guard let state = namespaces[name] else { continue }
      let neighbours = all.neighbours(of: state.roll, named: name)
      let isSame =
        members[name] == nil && !isOtherMesh && state.outcome?.neighbours == neighbours
      if isSame { continue }
      let members = members[name] ?? Members(scope(own, state.roll.surroundings))
      put(NamespaceMesh(members, neighbours, mesh), neighbours, name, state)
    }
  }

  private func scope(_ objects: NamespaceObjects, _ surroundings: Surroundings) -> Scope {
    Scope(
      options: catalog.options, objects: objects, nodes: catalog.nodes, surroundings: surroundings)
  }

  private mutating func put(
    _ next: NamespaceMesh, _ neighbours: Neighbours, _ name: String, _ state: NamespaceState
  ) {
    let last = state.outcome
    for (uid, workload) in next.workloads { workloads.set(uid, to: workload) }
    for (key, service) in next.services { services.set(key, to: service) }
    for (key, policy) in next.policies { policies.set(key, to: policy) }
    for uid in last?.workloads ?? [] where next.workloads[uid] == nil {
      workloads.set(uid, to: nil)
    }
    for key in last?.services ?? [] where next.services[key] == nil { services.set(key, to: nil) }
    for key in last?.policies ?? [] where next.policies[key] == nil { policies.set(key, to: nil) }
    if last?.placements ?? [] != next.placements { arePodsStale = true }
    if last?.diagnostics ?? [] != next.diagnostics { areDiagnosticsStale = true }
    namespaces[name]?.outcome = NamespaceState.Outcome(next, neighbours)
  }

  private mutating func drop(_ name: String, _ state: NamespaceState) {
    namespaces[name] = nil
    guard let outcome = state.outcome else { return }
    for uid in outcome.workloads { workloads.set(uid, to: nil) }
    for key in outcome.services { services.set(key, to: nil) }
    for key in outcome.policies { policies.set(key, to: nil) }
    arePodsStale = true
    areDiagnosticsStale = true
  }
}

// MARK: Of the whole mesh

extension Compiler {
  /// Puts in what belongs to no namespace: the near ends of entries, and the policy that stands for
  /// mutual TLS.
  private mutating func putCommon(_ entries: NetworkEntries, isTooLarge: Bool) {
    for uid in commonWorkloads where entries.workloads[uid] == nil {
      workloads.set(uid, to: nil)
    }
    for (uid, workload) in entries.workloads { workloads.set(uid, to: workload) }
    commonWorkloads = Set(entries.workloads.keys)
    let strict = PeerAuthentications.strictPolicy(rootNamespace: catalog.options.rootNamespace)
    let isNamed = catalog.peerAuthenticationCount > 0 && !isTooLarge
    policies.set(strict.key, to: isNamed ? strict : nil)
  }

  private mutating func describe(
    _ entries: NetworkEntries, _ changes: Catalog.Changes, isTooLarge: Bool
  ) {
    guard !isTooLarge else {
      diagnostics = [
        Diagnostic(
          .error, .tooLarge, file: "",
          message: "expected at most \(Limit.objects) objects, found \(catalog.objectCount)")
      ]
      areDiagnosticsStale = true
      return
    }
    let last = cross
    cross.update(catalog, namespaces, entries)
    guard areDiagnosticsStale || changes.hasOtherFindings || cross != last else { return }
    areDiagnosticsStale = false
    var all = DiagnosticOrder()
    for findings in catalog.findings.values { all.add(findings) }
    for state in namespaces.values { all.add(state.outcome?.diagnostics ?? []) }
    all.add(cross.diagnostics)
    diagnostics = all.kept
  }
}
