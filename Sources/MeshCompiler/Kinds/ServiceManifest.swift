import MeshModel

/// A v1 Service, as far as the mesh cares.
struct ServiceManifest: Equatable {
  struct Port: Equatable {
    /// Empty for the only port of a service.
    var name: String
    var number: UInt16
    var target: Target
    var path: String
    var line: Int
  }

  enum Target: Hashable {
    case number(UInt16)
    /// The container port of that name, which may differ from pod to pod.
    case name(String)
  }

  var origin: Origin
  var metadata: Metadata
  var isHeadless: Bool
  /// True: a DNS alias, nothing for the mesh to route.
  var isExternalName: Bool
  var virtualAddresses: [Written<IPAddress>]
  /// TCP ports only.
  var ports: [Port]
  /// Empty: endpoints come from EndpointSlices alone.
  var selector: [String: String]
  var publishesNotReady: Bool
  var isNodeLocal: Bool
  /// Of the spec, else of the annotation.
  var distribution: LoadBalancing?
  var families: Service.AddressFamilies
  var visibility: Visibility

  /// Whether the mesh takes connections to it.
  var isRouted: Bool { !isExternalName && visibility != .nobody }

  init(_ root: Fields, _ metadata: Metadata, _ reader: inout ObjectReader) {
    let spec = reader.mapping(root["spec"], .serviceSpec) ?? .absent(at: "spec", line: root.line)
    self.metadata = metadata
    isExternalName =
      reader.word(spec["type"], of: ["ClusterIP", "NodePort", "LoadBalancer", "ExternalName"])
      == "ExternalName"
    (isHeadless, virtualAddresses) = reader.clusterAddresses(spec)
    let status = reader.mapping(root["status"], .serviceStatus)
    virtualAddresses += reader.balancerAddresses(status)
    ports = reader.servicePorts(spec)
    selector = reader.texts(spec["selector"])
    publishesNotReady = reader.boolean(spec["publishNotReadyAddresses"]) ?? false
    isNodeLocal = reader.word(spec["internalTrafficPolicy"], of: ["Cluster", "Local"]) == "Local"
    let annotated = reader.distribution(annotations: metadata.annotations)
    distribution = reader.distribution(spec["trafficDistribution"]) ?? annotated
    families = reader.families(spec)
    visibility = reader.visibility(annotations: metadata.annotations)
    if reader.word(spec["sessionAffinity"], of: ["None", "ClientIP"]) == "ClientIP" {
      reader.report(
        .warning, .ignored, at: spec.pathOf("sessionAffinity"), line: spec.line,
        "session affinity is not supported; connections go round robin")
    }
    origin = reader.origin
    reader.checkConsistency(of: self, spec)
  }
}

extension ObjectReader {
  /// `spec.clusterIPs`; `spec.clusterIP` must be its first, and stands for it alone.
  fileprivate mutating func clusterAddresses(_ spec: Fields) -> (Bool, [Written<IPAddress>]) {
    let single = string(spec["clusterIP"]).flatMap { $0.value.isEmpty ? nil : $0 }
    let several = strings(spec["clusterIPs"])
    if let single, let first = several.first, single.value != first.value {
      invalid(
        single,
        "expected the first of spec.clusterIPs, \(quoted(first.value)), found \(quoted(single.value))"
      )
    }
    let all = several.isEmpty ? [single].compactMap(\.self) : several
    if all.count == 1, all[0].value == "None" { return (true, []) }
    var addresses: [Written<IPAddress>] = []
    for text in all {
      guard let address = IPAddress(text.value), !address.isUnspecified else {
        invalid(text, "expected an IPv4 or IPv6 address or None, found \(quoted(text.value))")
        continue
      }
      addresses.append(Written(value: address, path: text.path, line: text.line))
    }
    return (false, addresses)
  }

  fileprivate mutating func families(_ spec: Fields) -> Service.AddressFamilies {
    var words: Set<String> = []
    for item in list(spec["ipFamilies"]) {
      if let word = word(item, of: ["IPv4", "IPv6"]) { words.insert(word) }
    }
    switch (words.contains("IPv4"), words.contains("IPv6")) {
    case (true, true): return .both
    case (true, false): return .ipv4
    case (false, true): return .ipv6
    case (false, false): return .automatic
    }
  }

  /// Addresses of load balancers that hand traffic to the service's own ports.
  fileprivate mutating func balancerAddresses(_ status: Fields?) -> [Written<IPAddress>] {
    guard let balancer = mapping(status?["loadBalancer"], .loadBalancerStatus) else { return [] }
    var addresses: [Written<IPAddress>] = []
    for ingress in mappings(balancer["ingress"], .ingressAddress) {
      let mode = word(ingress["ipMode"], of: ["VIP", "Proxy"]) ?? "VIP"
      if let address = address(ingress["ip"]), mode == "VIP" { addresses.append(address) }
    }
    return addresses
  }

  fileprivate mutating func servicePorts(_ spec: Fields) -> [ServiceManifest.Port] {
    var ports: [ServiceManifest.Port] = []
    let all = mappings(spec["ports"], .servicePort)
    var names: Set<String> = []
    for fields in all {
      let transport = word(fields["protocol"], of: transportProtocols) ?? "TCP"
      let name = string(fields["name"])
      if all.count > 1, name == nil {
        report(
          .error, .missing, at: fields.pathOf("name"), line: fields.line,
          "expected a name, because the service has several ports")
      }
      if let name, !names.insert(name.value).inserted {
        invalid(name, "expected each port name once, found \(quoted(name.value)) again")
      }
      guard let number = port(fields["port"]) else {
        if fields["port"] == nil {
          report(
            .error, .missing, at: fields.pathOf("port"), line: fields.line,
            "expected a port number from 1 to 65535")
        }
        continue
      }
      let target = target(fields["targetPort"]) ?? .number(number)
      guard transport == "TCP" else { continue }
      if ports.contains(where: { $0.number == number }) {
        report(
          .error, .invalidValue, at: fields.pathOf("port"), line: fields.line,
          "expected each TCP port once, found \(number) again")
      }
      ports.append(
        .init(
          name: name?.value ?? "", number: number, target: target, path: fields.path,
          line: fields.line))
    }
    return ports
  }

  private mutating func target(_ field: Field?) -> ServiceManifest.Target? {
    guard let field, case .string(let name) = field.value.content else {
      return port(field).map { .number($0) }
    }
    guard NameShape.portName.accepts(name) else {
      error(
        .invalidValue, at: field,
        "expected a port number without quotes, or the name of a container port "
          + "(\(NameShape.portName.expectation)), found \(quoted(name))")
      return nil
    }
    return .name(name)
  }

  fileprivate mutating func checkConsistency(of service: ServiceManifest, _ spec: Fields) {
    if service.isExternalName {
      report(
        .warning, .ignored, at: spec.pathOf("type"), line: spec.line,
        "an ExternalName service is an alias in DNS; the mesh does not route it")
    } else if !service.isHeadless && service.virtualAddresses.isEmpty {
      report(
        .warning, .unresolved, at: spec.pathOf("clusterIPs"), line: spec.line,
        "no cluster address given and none is allocated here; reachable by pod address only")
    }
    if service.ports.isEmpty && !service.isHeadless && !service.isExternalName {
      report(
        .warning, .selectsNothing, at: spec.pathOf("ports"), line: spec.line,
        "no TCP port; the mesh does not route this service")
    }
  }
}

extension Schema {
  fileprivate static let serviceSpec = Schema(
    """
    allocateLoadBalancerNodePorts clusterIP clusterIPs externalIPs externalName
    externalTrafficPolicy healthCheckNodePort internalTrafficPolicy ipFamilies ipFamilyPolicy
    loadBalancerClass loadBalancerIP loadBalancerSourceRanges ports publishNotReadyAddresses
    selector sessionAffinity sessionAffinityConfig trafficDistribution type
    """)
  fileprivate static let servicePort = Schema(
    "appProtocol name nodePort port protocol targetPort")
  fileprivate static let serviceStatus = Schema("conditions loadBalancer")
  fileprivate static let loadBalancerStatus = Schema("ingress")
  fileprivate static let ingressAddress = Schema("hostname ip ipMode ports")
}
