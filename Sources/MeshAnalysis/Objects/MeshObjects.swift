import MeshCompiler

/// All objects, found by kind, namespace and name, and what is known of those that are not there.
struct MeshObjects: Sendable {
  let options: CompilerOptions
  private let completeness: Completeness
  private var byKind: [ObjectKind: [Item]] = [:]
  private var byKey: [ItemKey: Item] = [:]
  /// Kinds by namespace of which there is at least one.
  private var present: Set<ItemKey> = []
  /// Those that run, or would run.
  private(set) var pods: [String: LabelIndex] = [:]
  private(set) var services: [String: [String: ServiceObject]] = [:]
  private(set) var accounts: AccountIndex

  init(_ input: AnalysisInput) {
    options = input.options
    completeness = input.completeness
    accounts = AccountIndex(trustDomain: input.options.trustDomain)
    for object in input.objects {
      for item in Item.all(of: object) where byKey.updateValue(item, forKey: item.key) == nil {
        byKind[item.kind, default: []].append(item)
        present.insert(ItemKey(kind: item.kind, namespace: item.namespace, name: ""))
      }
    }
    addPods()
    for item in items(.serviceAccount) { accounts.declare(item.namespace, item.name.name) }
    for item in items(.service) {
      services[item.namespace, default: [:]][item.name.name] = ServiceObject(item)
    }
    accounts.finish()
  }

  /// Templates count only where none of their pods is there.
  private mutating func addPods() {
    let kinds = [.pod] + ObjectKind.workloads
    for item in kinds.flatMap({ items($0) }) {
      let labels = namespaceLabels(item.namespace)
      guard let pod = PodSource(item, namespaceLabels: labels, options) else { continue }
      if pod.isTemplate, pods[item.namespace]?.selected(by: pod.labels).isEmpty == false {
        continue
      }
      accounts.use(pod)
      if !pod.isFinished { pods[item.namespace, default: LabelIndex()].add(pod) }
    }
  }
}

// MARK: Looking up

extension MeshObjects {
  func items(_ kind: ObjectKind) -> [Item] { byKind[kind] ?? [] }

  func item(_ kind: ObjectKind, _ namespace: String, _ name: String) -> Item? {
    byKey[ItemKey(kind: kind, namespace: namespace, name: name)]
  }

  func namespaceLabels(_ namespace: String) -> [String: String] {
    item(.namespace, "", namespace)?.labels ?? [:]
  }

  func service(_ namespace: String, _ name: String) -> ServiceObject? {
    services[namespace]?[name]
  }

  func selected(by labels: [String: String], in namespace: String) -> [PodSource] {
    pods[namespace]?.selected(by: labels) ?? []
  }

  func pods(in namespace: String) -> [PodSource] { pods[namespace]?.pods ?? [] }

  /// Names of a kind in a namespace, in order.
  func names(_ kind: ObjectKind, in namespace: String) -> [String] {
    items(kind).lazy.filter { $0.namespace == namespace }.map(\.name.name).sorted()
  }

  var allPods: [PodSource] { pods.values.flatMap(\.pods) }
}

// MARK: What is known not to be there

extension MeshObjects {
  /// Whether an object of that kind and namespace that is not given does not exist.
  func knowsAll(_ kind: ObjectKind, in namespace: String) -> Bool {
    switch completeness {
    case .whole(let unread): !unread.contains(kind)
    case .part: present.contains(ItemKey(kind: kind, namespace: namespace, name: ""))
    }
  }

  func knowsAll(_ kind: ObjectKind) -> Bool {
    switch completeness {
    case .whole(let unread): !unread.contains(kind)
    case .part: byKind[kind] != nil
    }
  }

  func knowsPods(in namespace: String) -> Bool {
    switch completeness {
    case .whole(let unread): !unread.contains(.pod)
    case .part: pods[namespace] != nil
    }
  }

  /// Whether a namespace of that name is known not to exist.
  func lacksNamespace(_ name: String) -> Bool {
    guard knowsAll(.namespace), item(.namespace, "", name) == nil else { return false }
    return pods[name] == nil && services[name] == nil
  }
}
