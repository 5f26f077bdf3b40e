import MeshCompiler

/// What answers to a host name as Istio's resources write it.
struct Hosts {
  private let mesh: MeshObjects
  private let suffix: String
  private var entries: [String: [Item]] = [:]
  private var wildcards: [(pattern: Substring, entry: Item)] = []

  enum Answer {
    case service(ServiceObject)
    case entry(Item)
    /// A wildcard that takes something.
    case several
    /// `known`: names it may have been meant to be.
    case nobody(known: () -> [String])
    /// Too little is known to say that it is missing.
    case unknown
  }

  init(_ mesh: MeshObjects) {
    self.mesh = mesh
    suffix = ".svc.\(mesh.options.clusterDomain)"
    for entry in mesh.items(.serviceEntry) {
      for (host, _) in entry.spec["hosts"].texts {
        if host.hasPrefix("*.") {
          wildcards.append((host.dropFirst(), entry))
        } else {
          entries[host, default: []].append(entry)
        }
      }
    }
  }

  /// A name without a dot is a service's of the object's own namespace.
  ///
  /// Source: Istio's VirtualService reference, `Destination.host`.
  func fullName(_ host: String, in namespace: String) -> String {
    host.contains(".") || host.hasPrefix("*") ? host : "\(host).\(namespace)\(suffix)"
  }

  func answer(_ host: String, in namespace: String) -> Answer {
    if host == "*" { return .several }
    let full = fullName(host, in: namespace)
    if full.hasPrefix("*.") { return wildcard(full) }
    if let name = serviceName(full) {
      if let service = mesh.service(name.namespace, name.name) { return .service(service) }
      if let entry = entry(full) { return .entry(entry) }
      guard mesh.knowsAll(.service, in: name.namespace) else { return .unknown }
      let ending = host.contains(".") ? ".\(name.namespace)\(suffix)" : ""
      return .nobody {
        (mesh.services[name.namespace]?.keys.sorted() ?? []).map { $0 + ending }
      }
    }
    if let entry = entry(full) { return .entry(entry) }
    if let short = shortForm(full) { return .nobody { [short] } }
    guard mesh.knowsAll(.serviceEntry) else { return .unknown }
    return .nobody { entries.keys.sorted() }
  }

  private func entry(_ host: String) -> Item? {
    entries[host]?.first ?? wildcards.first { host.hasSuffix($0.pattern) }?.entry
  }

  private func wildcard(_ host: String) -> Answer {
    let pattern = host.dropFirst()
    if wildcards.contains(where: { $0.pattern.hasSuffix(pattern) || pattern.hasSuffix($0.pattern) })
      || entries.keys.contains(where: { $0.hasSuffix(pattern) })
    {
      return .several
    }
    for (namespace, services) in mesh.services
    where services.keys.contains(where: { "\($0).\(namespace)\(suffix)".hasSuffix(pattern) }) {
      return .several
    }
    return mesh.knowsAll(.serviceEntry) && mesh.knowsAll(.service)
      ? .nobody { [] } : .unknown
  }

  /// The service and namespace in a full name of the cluster.
  private func serviceName(_ host: String) -> (name: String, namespace: String)? {
    guard host.hasSuffix(suffix) else { return nil }
    let parts = host.dropLast(suffix.count).split(
      separator: ".", omittingEmptySubsequences: false)
    guard parts.count == 2 else { return nil }
    return (String(parts[0]), String(parts[1]))
  }

  /// The full name of a service written as `name.namespace`, which means a host beyond the cluster.
  private func shortForm(_ host: String) -> String? {
    let parts = host.split(separator: ".").map(String.init)
    guard parts.count == 2 || parts.count == 3 && parts[2] == "svc",
      mesh.service(parts[1], parts[0]) != nil
    else { return nil }
    return "\(parts[0]).\(parts[1])\(suffix)"
  }
}
