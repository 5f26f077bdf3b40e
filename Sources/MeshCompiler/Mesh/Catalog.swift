import MeshModel

/// Every object of the mesh once, kept by the sources that declare them.
///
/// What is looked up across namespaces is kept beside the objects, so that a change costs what it
/// changes.
struct Catalog {
  let options: CompilerOptions
  private var readings: [String: Reading] = [:]
  /// Which source declares an object; of several the first.
  private(set) var declarations = Claims<Diagnostic.ObjectName, Declaration>()
  /// What there is to say about a source's objects; only where there is something.
  private(set) var findings: [String: [Diagnostic]] = [:]
  private(set) var objectCount = 0

  private(set) var namespaces: [String: NamespaceObjects] = [:]
  /// Where each node is.
  private(set) var nodes: [String: Locality] = [:]
  /// The pods by their uid in the mesh.
  private(set) var podUIDs = Claims<String, AddressHolder>()
  private(set) var addresses = Claims<IPAddress, AddressHolder>()
  /// The ServiceEntries by each of their hosts; those that are exported to somebody.
  private(set) var hosts = Claims<String, HostHolder>()
  /// The entries to other networks.
  private(set) var networkGateways: [PolicyKey: Shared<GatewayManifest>] = [:]
  private(set) var peerAuthenticationCount = 0

  /// What is not as it was when `takeChanges` was called last.
  private var changes = Changes()

  struct Changes {
    var namespaces: Set<String> = []
    var nodes: Set<String> = []
    /// Whether there is something else to say of a source's objects.
    var hasOtherFindings = false
  }

  init(_ options: CompilerOptions) {
    self.options = options
  }

  /// The network of what no label puts on another.
  var network: String {
    namespaces[options.rootNamespace]?.labels[Key.network] ?? options.network
  }

  /// The policies that hold in the whole mesh, by name.
  var rootPolicies: [String: Shared<PolicyManifest>] {
    namespaces[options.rootNamespace]?.policies ?? [:]
  }

  /// The PeerAuthentication that holds where no other does.
  var meshWidePeerAuthentication: Shared<PeerAuthenticationManifest>? {
    (namespaces[options.rootNamespace]?.peerAuthentications ?? [:]).values
      .filter { $0.value.selector.isEmpty }.min { $0.value.precedes($1.value) }
  }

  mutating func takeChanges() -> Changes {
    defer { changes = Changes() }
    return changes
  }

  /// The object in force under a name, and where it stands.
  func item(_ declaration: Declaration) -> Reading.Item? {
    readings[declaration.source]?.items[declaration.index]
  }

  private func manifest(_ name: Diagnostic.ObjectName) -> Manifest? {
    declarations.first(name).flatMap(item)?.manifest
  }

  /// Puts what a source says now in place of what it said before; nil: it says nothing any more.
  mutating func replace(_ source: String, with next: Reading?) {
    let before = readings[source]
    guard before != next else { return }
    objectCount += (next?.objectCount ?? 0) - (before?.objectCount ?? 0)
    let names = Set((before?.items ?? []).map(\.name)).union((next?.items ?? []).map(\.name))
    let old = names.map { ($0, manifest($0)) }
    for (index, item) in (before?.items ?? []).enumerated() {
      declarations.remove(Declaration(source: source, index: index), from: item.name)
    }
    readings[source] = next
    for (index, item) in (next?.items ?? []).enumerated() {
      declarations.add(Declaration(source: source, index: index), to: item.name)
    }
    for (name, manifest) in old { replace(name, manifest, with: self.manifest(name)) }
    if before?.diagnostics ?? [] != next?.diagnostics ?? [] {
      changes.hasOtherFindings = true
      let said = next?.diagnostics ?? []
      findings[source] = said.isEmpty ? nil : said
    }
  }

  private mutating func replace(
    _ name: Diagnostic.ObjectName, _ before: Manifest?, with next: Manifest?
  ) {
    guard before != next else { return }
    if let before { link(before, name, isThere: false) }
    if let next { link(next, name, isThere: true) }
  }

  private mutating func link(
    _ manifest: Manifest, _ name: Diagnostic.ObjectName, isThere: Bool
  ) {
    if case .node(let locality) = manifest {
      nodes[name.name] = isThere ? locality : nil
      changes.nodes.insert(name.name)
      return
    }
    let namespace = name.namespace.isEmpty ? name.name : name.namespace
    namespaces[namespace, default: NamespaceObjects(name: namespace)]
      .set(manifest, named: name.name, isThere: isThere)
    if namespaces[namespace]?.isEmpty == true { namespaces[namespace] = nil }
    changes.namespaces.insert(namespace)
    linkAcross(manifest, isThere: isThere)
  }

  /// Keeps what other namespaces ask about.
  private mutating func linkAcross(_ manifest: Manifest, isThere: Bool) {
    switch manifest {
    case .pod(let pod):
      podUIDs.set(.pod(pod), on: [pod.value.uid], isThere: isThere)
      guard pod.value.ownsAddresses else { return }
      addresses.set(.pod(pod), on: pod.value.addresses.map(\.value), isThere: isThere)
    case .service(let service):
      guard !service.value.isExternalName else { return }
      addresses.set(
        .service(service), on: service.value.virtualAddresses.map(\.value), isThere: isThere)
    case .serviceEntry(let entry):
      guard entry.value.visibility != .nobody else { return }
      hosts.set(HostHolder(entry: entry), on: entry.value.hosts.map(\.value), isThere: isThere)
    case .gateway(let gateway):
      guard gateway.value.gatewayClass == .eastWest else { return }
      networkGateways[gateway.value.key] = isThere ? gateway : nil
    case .peerAuthentication:
      peerAuthenticationCount += isThere ? 1 : -1
    case .namespace, .serviceAccount, .endpointSlice, .authorizationPolicy, .node, .workloadEntry:
      break
    }
  }
}

/// Where an object is declared; of two the first in the order of sources counts.
struct Declaration: Comparable {
  var source: String
  /// Among the objects of the source.
  var index: Int

  static func < (a: Self, b: Self) -> Bool { (a.source, a.index) < (b.source, b.index) }
}

/// Who has an address, or a uid, of its own: pods come before services.
enum AddressHolder: Comparable {
  case pod(Shared<PodManifest>)
  case service(Shared<ServiceManifest>)

  var origin: Origin {
    switch self {
    case .pod(let pod): pod.value.origin
    case .service(let service): service.value.origin
    }
  }

  static func == (a: Self, b: Self) -> Bool { a.origin == b.origin }

  static func < (a: Self, b: Self) -> Bool {
    switch (a, b) {
    case (.pod, .service): true
    case (.service, .pod): false
    case (.pod, .pod), (.service, .service): a.origin < b.origin
    }
  }
}

/// A ServiceEntry that names a host: the oldest speaks for it.
struct HostHolder: Comparable {
  var entry: Shared<ServiceEntryManifest>

  static func == (a: Self, b: Self) -> Bool { a.entry.value.origin == b.entry.value.origin }

  static func < (a: Self, b: Self) -> Bool { a.entry.value.precedes(b.entry.value) }
}

extension Claims {
  /// Claims each key once, or gives all of them up.
  fileprivate mutating func set(_ claimant: Claimant, on keys: [Key], isThere: Bool) {
    for (index, key) in keys.enumerated() where !keys[..<index].contains(key) {
      if isThere { add(claimant, to: key) } else { remove(claimant, from: key) }
    }
  }
}
