import MeshModel

/// A networking.istio.io ServiceEntry.
struct ServiceEntryManifest: Equatable {
  struct Port: Equatable {
    var name: String
    var number: UInt16
    var target: UInt16
  }

  enum Resolution: String, CaseIterable {
    /// Dialled where the application dials.
    case none = "NONE"
    case fixed = "STATIC"
    case dns = "DNS"
    case dnsRoundRobin = "DNS_ROUND_ROBIN"
  }

  var origin: Origin
  var metadata: Metadata
  var hosts: [Written<String>]
  var addresses: [Written<CIDR>]
  /// TCP ports only.
  var ports: [Port]
  var resolution: Resolution
  var endpoints: [EntrySpec]
  /// Nil without a selector.
  var selector: [String: String]?
  var visibility: Visibility
  var subjectAltNames: [SPIFFEID]
  var distribution: LoadBalancing?

  /// The one that speaks for a host name of several: the oldest, then the first by name.
  func precedes(_ other: Self) -> Bool {
    if metadata.created != other.metadata.created {
      return metadata.created < other.metadata.created
    }
    return (metadata.namespace, metadata.name) < (other.metadata.namespace, other.metadata.name)
  }

  init(_ root: Fields, _ metadata: Metadata, _ reader: inout ObjectReader) {
    let spec =
      reader.mapping(root["spec"], .serviceEntrySpec) ?? .absent(at: "spec", line: root.line)
    self.metadata = metadata
    hosts = reader.entryHosts(spec)
    addresses = reader.entryAddresses(spec, reader.mapping(root["status"], .serviceEntryStatus))
    ports = reader.entryServicePorts(spec)
    _ = reader.word(spec["location"], of: ["MESH_EXTERNAL", "MESH_INTERNAL"])
    resolution =
      reader.word(spec["resolution"], of: Resolution.allCases.map(\.rawValue))
      .flatMap(Resolution.init(rawValue:)) ?? .none
    endpoints = []
    for fields in reader.mappings(spec["endpoints"], EntrySpec.schema) {
      endpoints.append(EntrySpec(fields, &reader))
    }
    selector = reader.mapping(spec["workloadSelector"], Schema("labels")).map {
      reader.texts($0["labels"])
    }
    visibility = reader.visibility(reader.strings(spec["exportTo"]))
    subjectAltNames = reader.subjectAltNames(spec)
    distribution = reader.distribution(annotations: metadata.annotations)
    origin = reader.origin
    reader.checkConsistency(of: self, spec)
  }
}

extension ObjectReader {
  fileprivate mutating func entryHosts(_ spec: Fields) -> [Written<String>] {
    let hosts = strings(spec["hosts"])
    if hosts.isEmpty {
      report(
        .error, .missing, at: spec.pathOf("hosts"), line: spec.line, "expected at least one host")
    }
    return hosts.filter { host in
      if HostName.isValidPattern(host.value) { return true }
      invalid(
        host, "expected a host name, perhaps with \"*.\" in front, found \(quoted(host.value))")
      return false
    }
  }

  /// `spec.addresses`, else those that the status says were given to it.
  fileprivate mutating func entryAddresses(
    _ spec: Fields, _ status: Fields?
  ) -> [Written<CIDR>] {
    var written = strings(spec["addresses"])
    if written.isEmpty {
      for item in mappings(status?["addresses"], Schema("host value")) {
        if let value = string(item["value"]) { written.append(value) }
      }
    }
    return written.compactMap { text in
      guard let block = CIDR(text.value), !block.base.isUnspecified || !block.isSingle else {
        invalid(
          text, "expected an address or a block such as 10.0.0.0/8, found \(quoted(text.value))")
        return nil
      }
      return Written(value: block, path: text.path, line: text.line)
    }
  }

  fileprivate mutating func entryServicePorts(_ spec: Fields) -> [ServiceEntryManifest.Port] {
    var ports: [ServiceEntryManifest.Port] = []
    for fields in mappings(spec["ports"], .entryPort) {
      let name = string(fields["name"])?.value ?? ""
      let transport = string(fields["protocol"])?.value.uppercased() ?? "TCP"
      guard let number = port(fields["number"]) else {
        if fields["number"] == nil {
          report(
            .error, .missing, at: fields.pathOf("number"), line: fields.line,
            "expected a port number from 1 to 65535")
        }
        continue
      }
      let target = port(fields["targetPort"]) ?? number
      guard transport != "UDP" else { continue }
      if ports.contains(where: { $0.number == number }) {
        report(
          .error, .invalidValue, at: fields.pathOf("number"), line: fields.line,
          "expected each port once, found \(number) again")
      }
      ports.append(.init(name: name, number: number, target: target))
    }
    return ports
  }

  /// Names that are no SPIFFE identities are for TLS beyond the mesh, which waypoints do.
  fileprivate mutating func subjectAltNames(_ spec: Fields) -> [SPIFFEID] {
    strings(spec["subjectAltNames"]).compactMap { written in
      guard written.value.hasPrefix("spiffe://") else { return nil }
      do throws(SPIFFEID.ParseError) {
        return try SPIFFEID(parsing: written.value)
      } catch {
        invalid(
          written,
          "expected spiffe://<trust domain>/ns/<namespace>/sa/<account>, found "
            + quoted(written.value))
        return nil
      }
    }
  }

  fileprivate mutating func checkConsistency(
    of entry: ServiceEntryManifest, _ spec: Fields
  ) {
    let path = spec.pathOf("resolution")
    if entry.selector != nil, !entry.endpoints.isEmpty {
      report(
        .error, .invalidValue, at: spec.pathOf("workloadSelector"), line: spec.line,
        "expected either endpoints or a workloadSelector")
    }
    switch entry.resolution {
    case .none where !entry.endpoints.isEmpty:
      report(
        .error, .invalidValue, at: path, line: spec.line,
        "expected STATIC or DNS beside endpoints; NONE dials where the application dials")
    case .fixed:
      for endpoint in entry.endpoints {
        guard case .hostname(let name)? = endpoint.place?.value, let place = endpoint.place
        else { continue }
        invalid(place, "expected an address with resolution STATIC, found \(quoted(name))")
      }
    case .none, .dns, .dnsRoundRobin: break
    }
    if entry.resolution != .none, entry.endpoints.isEmpty, entry.selector == nil {
      for host in entry.hosts where host.value.hasPrefix("*.") {
        invalid(host, "expected endpoints, because \(quoted(host.value)) cannot be resolved")
      }
    }
    if entry.addresses.isEmpty {
      report(
        .warning, .unresolved, at: spec.pathOf("addresses"), line: spec.line,
        "no address given and none is allocated here; connections to the host are not routed")
    }
  }
}

extension Schema {
  fileprivate static let serviceEntrySpec = Schema(
    """
    addresses endpoints exportTo hosts location ports resolution subjectAltNames workloadSelector
    """)
  fileprivate static let entryPort = Schema("name number protocol targetPort")
  fileprivate static let serviceEntryStatus = Schema(
    "addresses conditions observedGeneration validationMessages")
}
