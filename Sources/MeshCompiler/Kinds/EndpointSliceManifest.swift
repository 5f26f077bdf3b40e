import MeshModel

/// A discovery.k8s.io/v1 EndpointSlice, as far as the mesh cares.
struct EndpointSliceManifest: Equatable {
  struct Endpoint: Equatable {
    var addresses: [Written<IPAddress>]
    var isReady: Bool
    /// The pod behind it; nil for an address outside the cluster.
    var pod: Written<String>?
    var node: String
  }

  var origin: Origin
  var metadata: Metadata
  /// Nil when no label says so: the slice then belongs to nothing.
  var service: String?
  var endpoints: [Endpoint]
  /// TCP ports by the name of the service port they belong to.
  var ports: [String: UInt16]

  init(_ root: Fields, _ metadata: Metadata, _ reader: inout ObjectReader) {
    self.metadata = metadata
    service = metadata.labels[Key.serviceName]
    let family = reader.word(root["addressType"], of: ["IPv4", "IPv6", "FQDN"])
    if root["addressType"] == nil {
      reader.report(
        .error, .missing, at: "addressType", line: root.line, "expected IPv4, IPv6 or FQDN")
    }
    ports = reader.slicePorts(root)
    endpoints = []
    origin = reader.origin
    if service == nil {
      reader.report(
        .warning, .selectsNothing, at: "metadata.labels", line: root.line,
        "no label \(Key.serviceName); the slice belongs to no service")
    }
    if family == "FQDN" {
      reader.report(
        .warning, .ignored, at: "addressType", line: root.line,
        "endpoints by name are not supported; the slice is skipped")
    } else if let family {
      endpoints = reader.sliceEndpoints(root, isIPv4: family == "IPv4")
    }
  }
}

extension ObjectReader {
  fileprivate mutating func slicePorts(_ root: Fields) -> [String: UInt16] {
    var ports: [String: UInt16] = [:]
    for fields in mappings(root["ports"], .slicePort) {
      let transport = word(fields["protocol"], of: transportProtocols) ?? "TCP"
      let name = string(fields["name"])?.value ?? ""
      if let number = port(fields["port"]), transport == "TCP" { ports[name] = number }
    }
    return ports
  }

  fileprivate mutating func sliceEndpoints(
    _ root: Fields, isIPv4: Bool
  ) -> [EndpointSliceManifest.Endpoint] {
    var endpoints: [EndpointSliceManifest.Endpoint] = []
    for fields in mappings(root["endpoints"], .endpoint) {
      var addresses: [Written<IPAddress>] = []
      for item in list(fields["addresses"]) {
        guard let address = address(item) else { continue }
        if address.value.isIPv4 == isIPv4 {
          addresses.append(address)
        } else {
          invalid(
            address,
            "expected an address of type \(isIPv4 ? "IPv4" : "IPv6"), found \(address.value)")
        }
      }
      if fields["addresses"] == nil {
        report(
          .error, .missing, at: fields.pathOf("addresses"), line: fields.line,
          "expected at least one address")
      }
      let conditions = mapping(fields["conditions"], .endpointConditions)
      let isReady = boolean(conditions?["ready"]) ?? true
      endpoints.append(
        .init(
          addresses: addresses, isReady: isReady,
          pod: pod(fields["targetRef"]), node: string(fields["nodeName"])?.value ?? ""))
    }
    return endpoints
  }

  private mutating func pod(_ field: Field?) -> Written<String>? {
    guard let target = mapping(field, .objectReference) else { return nil }
    guard string(target["kind"])?.value == "Pod" else { return nil }
    return string(target["name"])
  }
}

extension Schema {
  fileprivate static let slicePort = Schema("appProtocol name port protocol")
  fileprivate static let endpoint = Schema(
    "addresses conditions deprecatedTopology hints hostname nodeName targetRef zone")
  fileprivate static let endpointConditions = Schema("ready serving terminating")
  fileprivate static let objectReference = Schema(
    "apiVersion fieldPath kind name namespace resourceVersion uid")
}
