import MeshModel

/// What a networking.istio.io WorkloadEntry, or an endpoint of a ServiceEntry, says of a workload.
struct EntrySpec: Equatable {
  enum Place: Equatable {
    case address(IPAddress)
    /// Resolved when it is dialled.
    case hostname(String)
  }

  var place: Written<Place>?
  /// Ports by the name of the service port they belong to.
  var ports: [String: UInt16]
  var labels: [String: String]
  var network: String?
  var locality: Locality
  var weight: UInt32
  var serviceAccount: String?

  init(_ spec: Fields, _ reader: inout ObjectReader) {
    place = reader.entryPlace(spec)
    ports = reader.entryPorts(spec)
    labels = reader.texts(spec["labels"])
    network = reader.string(spec["network"])?.value
    locality = reader.locality(spec)
    weight = reader.weight(spec)
    serviceAccount = reader.string(spec["serviceAccount"]).flatMap { written in
      written.value.isEmpty ? nil : written.value
    }
  }

  static let schema = Schema("address labels locality network ports serviceAccount weight")

  /// The workload it describes, but for its identifier, name and namespace.
  func apply(to workload: inout Workload, network: String) {
    switch place?.value {
    case .address(let ip): workload.addresses = [ip]
    case .hostname(let name): workload.hostname = name
    case nil: break
    }
    workload.serviceAccount = serviceAccount ?? "default"
    workload.network = self.network ?? network
    workload.locality = locality
    workload.capacity = weight
    if labels[Key.tunnel] == "http" {
      workload.tunnelProtocol = .hbone
      workload.isNativeTunnel = true
    }
    workload.canonicalName =
      Key.canonicalNames.lazy.compactMap { labels[$0] }.first ?? workload.workloadName
    workload.canonicalRevision =
      Key.canonicalRevisions.lazy.compactMap { labels[$0] }.first ?? "latest"
  }
}

/// A networking.istio.io WorkloadEntry.
struct WorkloadEntryManifest: Equatable {
  var origin: Origin
  var metadata: Metadata
  var spec: EntrySpec
  /// Those of the object and those of its spec, which win.
  var labels: [String: String]

  init(_ root: Fields, _ metadata: Metadata, _ reader: inout ObjectReader) {
    let fields =
      reader.mapping(root["spec"], EntrySpec.schema) ?? .absent(at: "spec", line: root.line)
    self.metadata = metadata
    spec = EntrySpec(fields, &reader)
    labels = metadata.labels.merging(spec.labels) { _, own in own }
    origin = reader.origin
  }
}

extension ObjectReader {
  fileprivate mutating func entryPlace(_ spec: Fields) -> Written<EntrySpec.Place>? {
    guard let written = string(spec["address"]) else {
      if spec["address"] == nil, spec["network"] == nil {
        report(
          .error, .missing, at: spec.pathOf("address"), line: spec.line,
          "expected an IPv4 or IPv6 address or a host name")
      }
      return nil
    }
    let place: EntrySpec.Place
    if let address = IPAddress(written.value), !address.isUnspecified {
      place = .address(address)
    } else if HostName.isValid(written.value) {
      place = .hostname(written.value)
    } else {
      invalid(
        written, "expected an IPv4 or IPv6 address or a host name, found \(quoted(written.value))")
      return nil
    }
    return Written(value: place, path: written.path, line: written.line)
  }

  fileprivate mutating func entryPorts(_ spec: Fields) -> [String: UInt16] {
    guard let field = spec["ports"] else { return [:] }
    guard case .mapping(let entries) = field.value.content else {
      error(
        .wrongType, at: field, "expected a mapping from port names, found \(field.value.summary)")
      return [:]
    }
    var ports: [String: UInt16] = [:]
    for entry in entries {
      let item = Field(path: "\(field.path)[\(quoted(entry.key))]", value: entry.value)
      if let number = port(item) { ports[entry.key] = number }
    }
    return ports
  }

  /// `region/zone/subzone`, of which the later parts may be missing.
  fileprivate mutating func locality(_ spec: Fields) -> Locality {
    guard let written = string(spec["locality"]) else { return Locality() }
    let parts = written.value.split(separator: "/", omittingEmptySubsequences: false)
      .map(String.init)
    guard parts.count <= 3 else {
      invalid(written, "expected region/zone/subzone, found \(quoted(written.value))")
      return Locality()
    }
    return Locality(
      region: parts.first ?? "", zone: parts.count > 1 ? parts[1] : "",
      subzone: parts.count > 2 ? parts[2] : "")
  }

  fileprivate mutating func weight(_ spec: Fields) -> UInt32 {
    guard let field = spec["weight"] else { return 1 }
    guard case .integer(let number) = field.value.content, let weight = UInt32(exactly: number)
    else {
      error(.invalidValue, at: field, "expected a weight from 0 to \(UInt32.max)")
      return 1
    }
    // Zero is what Istio calls not given.
    return max(weight, 1)
  }
}

/// Names of hosts as ServiceEntry and WorkloadEntry write them.
enum HostName {
  static func isValid(_ text: String) -> Bool {
    let bytes = Array(text.utf8)
    let last = bytes.split(separator: UInt8(ascii: ".")).last ?? []
    return NameShape.subdomain.accepts(text)
      && !last.allSatisfy { (0x30...0x39).contains($0) }
  }

  /// A name, or `*.` in front of one.
  static func isValidPattern(_ text: String) -> Bool {
    isValid(text.hasPrefix("*.") ? String(text.dropFirst(2)) : text)
  }
}
