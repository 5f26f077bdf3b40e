import MeshModel

// Names of single pods: below a headless service, and below `pod.<cluster domain>`.
//
// Source: Kubernetes' DNS specification, sections 2.4 and 2.5 of version 1.1.0.

extension Lookup {
  /// The pod a host name means; nil when the mesh knows none, so that the cluster's DNS may.
  func pod(_ host: String) -> Workload? {
    guard let dot = host.utf8.firstIndex(of: UInt8(ascii: ".")) else { return nil }
    let label = host[..<dot]
    let rest = String(host[host.utf8.index(after: dot)...])
    return podByAddress(label, rest) ?? podOfService(label, rest)
  }

  /// `10-0-0-5.<namespace>.pod.<cluster domain>`, when that namespace has a pod with the address.
  private func podByAddress(_ label: Substring, _ rest: String) -> Workload? {
    guard let namespace = NameExpansion.cut("pod.\(resolver.clusterDomain)", off: rest),
      let ip = DashedAddress.parse(label), let workload = mesh.workload(at: ip, on: client.network),
      workload.namespace == namespace
    else { return nil }
    return workload
  }

  /// `<pod>.<service>.<namespace>.svc.<cluster domain>` of a service without virtual addresses.
  private func podOfService(_ label: Substring, _ rest: String) -> Workload? {
    guard let service = service(rest), service.virtualAddresses.isEmpty else { return nil }
    // Kubernetes' own names for pods; a stateful set's pod is named as its host is.
    let uid = "\(client.clusterID)//Pod/\(service.key.namespace)/\(label)"
    let named = mesh.workload(uid: uid)
    let pod =
      named ?? DashedAddress.parse(label).flatMap { mesh.workload(at: $0, on: client.network) }
    guard let pod, pod.services[service.key] != nil, isEndpoint(pod, of: service) else {
      return nil
    }
    return pod
  }
}

/// Addresses as one label of a name: dashes stand for dots or colons.
enum DashedAddress {
  static func parse(_ label: Substring) -> IPAddress? {
    let bytes = Array(label.utf8)
    guard bytes.contains(UInt8(ascii: "-")) else { return nil }
    for separator in [".", ":"] {
      let text = String(
        decoding: bytes.map { $0 == UInt8(ascii: "-") ? Array(separator.utf8)[0] : $0 },
        as: UTF8.self)
      if let ip = IPAddress(text) { return ip }
    }
    return nil
  }

  static func label(_ ip: IPAddress) -> String {
    String("\(ip)".map { $0 == "." || $0 == ":" ? "-" : $0 })
  }
}
