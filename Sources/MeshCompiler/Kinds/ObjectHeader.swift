/// The kinds the compiler understands.
enum Kind: String, CaseIterable {
  case namespace = "Namespace"
  case pod = "Pod"
  case service = "Service"
  case serviceAccount = "ServiceAccount"
  case endpointSlice = "EndpointSlice"
  case peerAuthentication = "PeerAuthentication"
  case authorizationPolicy = "AuthorizationPolicy"
  case node = "Node"
  case gateway = "Gateway"
  case serviceEntry = "ServiceEntry"
  case workloadEntry = "WorkloadEntry"

  var group: String {
    switch self {
    case .namespace, .pod, .service, .serviceAccount, .node: ""
    case .gateway: "gateway.networking.k8s.io"
    case .serviceEntry, .workloadEntry: "networking.istio.io"
    case .endpointSlice: "discovery.k8s.io"
    case .peerAuthentication, .authorizationPolicy: "security.istio.io"
    }
  }

  /// The versions read; their fields are the same.
  var apiVersions: [String] {
    switch self {
    case .namespace, .pod, .service, .serviceAccount, .node: ["v1"]
    case .gateway: ["gateway.networking.k8s.io/v1", "gateway.networking.k8s.io/v1beta1"]
    case .serviceEntry, .workloadEntry:
      [
        "networking.istio.io/v1", "networking.istio.io/v1beta1", "networking.istio.io/v1alpha3",
      ]
    case .endpointSlice: ["discovery.k8s.io/v1"]
    case .peerAuthentication, .authorizationPolicy:
      ["security.istio.io/v1", "security.istio.io/v1beta1"]
    }
  }

  var isNamespaced: Bool { self != .namespace && self != .node }

  var nameShape: NameShape {
    switch self {
    case .namespace: .label
    case .service: .serviceLabel
    case .pod, .serviceAccount, .endpointSlice, .peerAuthentication, .authorizationPolicy,
      .node, .gateway, .serviceEntry, .workloadEntry:
      .subdomain
    }
  }

  /// The fields beside `apiVersion`, `kind` and `metadata`.
  var schema: Schema {
    switch self {
    case .namespace, .pod, .service, .node, .gateway, .serviceEntry, .workloadEntry:
      Schema("apiVersion kind metadata spec status")
    case .serviceAccount:
      Schema("apiVersion kind metadata secrets imagePullSecrets automountServiceAccountToken")
    case .endpointSlice: Schema("apiVersion kind metadata addressType endpoints ports")
    case .peerAuthentication, .authorizationPolicy:
      Schema("apiVersion kind metadata spec status")
    }
  }
}

/// The metadata of an object, as far as the mesh cares.
struct Metadata: Equatable {
  var namespace: String
  var name: String
  var uid: Written<String>?
  var labels: [String: String]
  var annotations: Fields
  /// Kubernetes' zero time when absent.
  var created: Timestamp
  var isBeingDeleted: Bool
  /// The owner that made this object; nil for one made by hand.
  var controller: Controller?

  struct Controller: Equatable {
    var kind: String
    var name: String
  }
}

extension ObjectReader {
  /// The metadata of an object; nil when it has no usable name, which is reported.
  mutating func metadata(of root: Fields, kind: Kind) -> Metadata? {
    guard let fields = mapping(root["metadata"], .metadata) else {
      if root["metadata"] == nil {
        report(
          .error, .missing, at: "metadata", line: root.line, "expected metadata with a name")
      }
      return nil
    }
    guard let name = name(fields, kind) else { return nil }
    var namespace = ""
    if kind.isNamespaced {
      namespace = "default"
      if let written = string(fields["namespace"]) {
        guard NameShape.label.accepts(written.value) else {
          invalid(
            written, "expected \(NameShape.label.expectation), found \(quoted(written.value))")
          return nil
        }
        namespace = written.value
      }
    }
    origin.object = Diagnostic.ObjectName(kind: kind.rawValue, namespace: namespace, name: name)
    return Metadata(
      namespace: namespace, name: name, uid: uid(fields),
      labels: texts(fields["labels"]), annotations: annotations(fields),
      created: timestamp(fields["creationTimestamp"]) ?? .absent,
      isBeingDeleted: timestamp(fields["deletionTimestamp"]) != nil, controller: controller(fields))
  }

  private mutating func name(_ fields: Fields, _ kind: Kind) -> String? {
    guard let written = string(fields["name"]) else {
      if fields["name"] == nil {
        let found = fields["generateName"] == nil ? "" : ", found only generateName"
        report(
          .error, .missing, at: fields.pathOf("name"), line: fields.line, "expected a name\(found)")
      }
      return nil
    }
    guard kind.nameShape.accepts(written.value) else {
      invalid(written, "expected \(kind.nameShape.expectation), found \(quoted(written.value))")
      return nil
    }
    return written.value
  }

  private mutating func uid(_ fields: Fields) -> Written<String>? {
    guard let written = string(fields["uid"]) else { return nil }
    guard isPodUID(written.value) else {
      invalid(
        written,
        "expected 1 to 63 letters, digits, hyphens and underscores, found \(quoted(written.value))")
      return nil
    }
    return written
  }

  private mutating func annotations(_ fields: Fields) -> Fields {
    let path = fields.pathOf("annotations")
    guard let field = fields["annotations"] else { return .absent(at: path, line: fields.line) }
    guard case .mapping(let entries) = field.value.content else {
      error(.wrongType, at: field, "expected a mapping, found \(field.value.summary)")
      return .absent(at: path, line: fields.line)
    }
    _ = texts(field)
    let values = Dictionary(
      entries.map { ($0.key, $0.value) }, uniquingKeysWith: { first, _ in first })
    return Fields(path: path, line: field.line, values: values)
  }

  private mutating func timestamp(_ field: Field?) -> Timestamp? {
    guard let written = string(field) else { return nil }
    guard let timestamp = Timestamp(written.value) else {
      invalid(
        written,
        "expected a time such as 2026-01-31T12:00:00Z, found \(quoted(written.value))")
      return nil
    }
    return timestamp
  }

  private mutating func controller(_ fields: Fields) -> Metadata.Controller? {
    for owner in mappings(fields["ownerReferences"], .ownerReference) {
      let isController = boolean(owner["controller"]) ?? false
      guard let kind = string(owner["kind"]), let name = string(owner["name"]), isController
      else { continue }
      return Metadata.Controller(kind: kind.value, name: name.value)
    }
    return nil
  }
}

extension Schema {
  fileprivate static let metadata = Schema(
    """
    name generateName namespace selfLink uid resourceVersion generation creationTimestamp
    deletionTimestamp deletionGracePeriodSeconds labels annotations ownerReferences finalizers
    managedFields
    """)
  fileprivate static let ownerReference = Schema(
    "apiVersion kind name uid controller blockOwnerDeletion")
}
