import MeshModel

/// A security.istio.io PeerAuthentication.
struct PeerAuthenticationManifest: Equatable {
  enum Mode: String, CaseIterable {
    case unset = "UNSET"
    /// In ambient the same as permissive: ztunnel accepts both.
    case disable = "DISABLE"
    case permissive = "PERMISSIVE"
    case strict = "STRICT"
  }

  var origin: Origin
  var metadata: Metadata
  /// Empty: for the whole namespace, or the whole mesh from the root namespace.
  var selector: [String: String]
  var mode: Mode
  /// By the application's port.
  var portModes: [UInt16: Mode]

  init(_ root: Fields, _ metadata: Metadata, _ reader: inout ObjectReader) {
    let spec =
      reader.mapping(root["spec"], .peerAuthenticationSpec) ?? .absent(at: "spec", line: root.line)
    self.metadata = metadata
    selector = reader.selector(spec)
    mode = reader.mode(spec["mtls"])
    portModes = reader.portModes(spec)
    origin = reader.origin
    if !portModes.isEmpty, selector.isEmpty {
      reader.report(
        .error, .invalidValue, at: spec.pathOf("portLevelMtls"), line: spec.line,
        "expected a selector beside portLevelMtls: ports belong to workloads")
    }
  }

  var key: PolicyKey { PolicyKey(namespace: metadata.namespace, name: metadata.name) }

  /// The one that wins where only one can: the oldest, then the first by name.
  func precedes(_ other: Self) -> Bool {
    if metadata.created != other.metadata.created {
      return metadata.created < other.metadata.created
    }
    return metadata.name < other.metadata.name
  }
}

extension ObjectReader {
  fileprivate mutating func mode(_ field: Field?) -> PeerAuthenticationManifest.Mode {
    guard let mutual = mapping(field, .mutualTLS) else { return .unset }
    let words = PeerAuthenticationManifest.Mode.allCases.map(\.rawValue)
    return word(mutual["mode"], of: words).flatMap(PeerAuthenticationManifest.Mode.init(rawValue:))
      ?? .unset
  }

  fileprivate mutating func portModes(
    _ spec: Fields
  ) -> [UInt16: PeerAuthenticationManifest.Mode] {
    guard let field = spec["portLevelMtls"] else { return [:] }
    guard case .mapping(let entries) = field.value.content else {
      error(.wrongType, at: field, "expected a mapping from ports, found \(field.value.summary)")
      return [:]
    }
    var modes: [UInt16: PeerAuthenticationManifest.Mode] = [:]
    for entry in entries {
      let path = "\(field.path)[\(quoted(entry.key))]"
      let isNumber = entry.key.utf8.allSatisfy { (0x30...0x39).contains($0) }
      guard isNumber, let port = UInt16(entry.key), port > 0 else {
        report(
          .error, .invalidValue, at: path, line: entry.line,
          "expected a port from 1 to 65535, found \(quoted(entry.key))")
        continue
      }
      modes[port] = mode(Field(path: path, value: entry.value))
    }
    return modes
  }
}

extension Schema {
  fileprivate static let peerAuthenticationSpec = Schema(
    "selector mtls portLevelMtls", unknownField: .error)
  fileprivate static let mutualTLS = Schema("mode", unknownField: .error)
}
