import MeshModel

/// A gateway.networking.k8s.io Gateway, as far as the mesh cares: a waypoint, or the entry to
/// another network.
struct GatewayManifest: Equatable {
  enum Class: String, CaseIterable {
    case waypoint = "istio-waypoint"
    case eastWest = "istio-east-west"
  }

  /// What a waypoint stands in front of.
  enum Traffic: String, CaseIterable {
    case service
    case workload
    case all
    case none

    var includesServices: Bool { self == .service || self == .all }
    var includesWorkloads: Bool { self == .workload || self == .all }
  }

  enum Admission: Equatable {
    case ownNamespace
    case allNamespaces
    case labelled([String: String])
  }

  var origin: Origin
  var metadata: Metadata
  /// Nil for a class that is not served here.
  var gatewayClass: Class?
  var traffic: Traffic
  /// Where it takes tunnels.
  var tunnelPort: UInt16
  /// Which namespaces may use it.
  var admission: Admission
  /// `status.addresses`, else `spec.addresses`.
  var addresses: [Written<IPAddress>]
  var hostnames: [String]
  /// How its pods take connections; nil for tunnels.
  var applicationTunnel: ApplicationTunnel?

  init(_ root: Fields, _ metadata: Metadata, _ reader: inout ObjectReader) {
    let spec = reader.mapping(root["spec"], .gatewaySpec) ?? .absent(at: "spec", line: root.line)
    self.metadata = metadata
    gatewayClass = reader.gatewayClass(spec)
    traffic = reader.waypointTraffic(metadata)
    (tunnelPort, admission) = reader.tunnelListener(spec)
    let status = reader.mapping(root["status"], .gatewayStatus)
    let assigned = reader.gatewayAddresses(status?["addresses"])
    let wanted = reader.gatewayAddresses(spec["addresses"])
    (addresses, hostnames) = assigned.0.isEmpty && assigned.1.isEmpty ? wanted : assigned
    applicationTunnel = reader.inboundBinding(metadata)
    origin = reader.origin
  }

  var key: PolicyKey { PolicyKey(namespace: metadata.namespace, name: metadata.name) }

  /// Whether objects of a namespace may use it.
  func admits(_ namespace: String, labels: [String: String]) -> Bool {
    if namespace == metadata.namespace { return true }
    switch admission {
    case .ownNamespace: return false
    case .allNamespaces: return true
    case .labelled(let wanted): return wanted.allSatisfy { labels[$0.key] == $0.value }
    }
  }
}

extension ObjectReader {
  fileprivate mutating func gatewayClass(_ spec: Fields) -> GatewayManifest.Class? {
    guard let written = string(spec["gatewayClassName"]) else {
      if spec["gatewayClassName"] == nil {
        report(
          .error, .missing, at: "spec.gatewayClassName", line: spec.line,
          "expected the name of a gateway class")
      }
      return nil
    }
    let known = GatewayManifest.Class.allCases.map(\.rawValue)
    guard let found = GatewayManifest.Class(rawValue: written.value) else {
      let hint = nearest(to: written.value, among: known).map { "; did you mean \($0)?" } ?? ""
      report(
        .warning, .ignored, at: written.path, line: written.line,
        "class \(quoted(written.value)) is not served here, skipped\(hint)")
      return nil
    }
    return found
  }

  fileprivate mutating func waypointTraffic(_ metadata: Metadata) -> GatewayManifest.Traffic {
    guard let text = metadata.labels[Key.waypointFor] else { return .service }
    guard let traffic = GatewayManifest.Traffic(rawValue: text) else {
      report(
        .error, .invalidValue, at: "metadata.labels[\(quoted(Key.waypointFor))]",
        line: origin.line,
        "expected \(alternatives(GatewayManifest.Traffic.allCases.map(\.rawValue))), found "
          + quoted(text))
      return .service
    }
    return traffic
  }

  fileprivate mutating func tunnelListener(
    _ spec: Fields
  ) -> (UInt16, GatewayManifest.Admission) {
    var found: (UInt16, GatewayManifest.Admission)?
    for listener in mappings(spec["listeners"], .gatewayListener) {
      let number = port(listener["port"])
      let isTunnel = string(listener["protocol"])?.value == "HBONE"
      let routes = mapping(listener["allowedRoutes"], .allowedRoutes)
      let admission = admission(mapping(routes?["namespaces"], .routeNamespaces))
      if let number, isTunnel, found == nil { found = (number, admission) }
    }
    return found ?? (AgentPort.hbone, .ownNamespace)
  }

  private mutating func admission(_ namespaces: Fields?) -> GatewayManifest.Admission {
    switch word(namespaces?["from"], of: ["Same", "All", "Selector"]) {
    case "All": return .allNamespaces
    case "Selector":
      guard let selector = mapping(namespaces?["selector"], .labelSelector) else {
        return .ownNamespace
      }
      if let expressions = selector["matchExpressions"] {
        error(
          .invalidValue, at: expressions,
          "expected matchLabels alone; expressions are not supported here")
      }
      return .labelled(texts(selector["matchLabels"]))
    default: return .ownNamespace
    }
  }

  fileprivate mutating func gatewayAddresses(
    _ field: Field?
  ) -> ([Written<IPAddress>], [String]) {
    var addresses: [Written<IPAddress>] = []
    var names: [String] = []
    for item in mappings(field, Schema("type value")) {
      let type = string(item["type"])?.value ?? "IPAddress"
      switch type {
      case "IPAddress": if let address = address(item["value"]) { addresses.append(address) }
      case "Hostname": if let name = string(item["value"]) { names.append(name.value) }
      default:
        report(
          .warning, .ignored, at: item.pathOf("type"), line: item.line,
          "addresses of type \(quoted(type)) are not used")
      }
    }
    return (addresses, names)
  }

  /// `NONE` or `PROXY`, then perhaps a slash and a port.
  fileprivate mutating func inboundBinding(_ metadata: Metadata) -> ApplicationTunnel? {
    guard let written = string(metadata.annotations[Key.inboundBinding]) else { return nil }
    let parts = written.value.split(separator: "/", omittingEmptySubsequences: false)
    let forms: [Substring: ApplicationTunnel.Form] = ["NONE": .none, "PROXY": .proxy]
    let port = parts.count == 2 ? UInt16(parts[1]) : 0
    guard let first = parts.first, let form = forms[first], parts.count <= 2, let port,
      parts.count == 1 || port > 0
    else {
      invalid(
        written,
        "expected NONE or PROXY, then perhaps a slash and a port, such as PROXY/15088, "
          + "found \(quoted(written.value))")
      return nil
    }
    return ApplicationTunnel(form: form, port: port)
  }
}

extension Schema {
  fileprivate static let gatewaySpec = Schema(
    """
    addresses allowedListeners backendTLS defaultScope gatewayClassName infrastructure listeners
    tls
    """)
  fileprivate static let gatewayListener = Schema(
    "allowedRoutes hostname name port protocol tls")
  fileprivate static let allowedRoutes = Schema("kinds namespaces")
  fileprivate static let routeNamespaces = Schema("from selector")
  fileprivate static let labelSelector = Schema("matchExpressions matchLabels")
  fileprivate static let gatewayStatus = Schema(
    "addresses attachedListenerSets conditions listeners")
}
