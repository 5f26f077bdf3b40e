import MeshModel

/// A security.istio.io AuthorizationPolicy, reduced to what ztunnel can enforce.
struct PolicyManifest: Equatable {
  var origin: Origin
  /// Nil when there is nothing to enforce: AUDIT, or a target that does not exist here.
  var policy: AuthorizationPolicy?
  /// Labels of the workloads it applies to; empty for all in scope.
  var selector: [String: String]
  /// Services whose workloads it applies to, by name, in the policy's namespace.
  var targetServices: [Written<String>]
}

/// What an AuthorizationPolicy asks for, as written.
enum RequestedAction: String, CaseIterable {
  case allow = "ALLOW"
  case deny = "DENY"
  case audit = "AUDIT"
  case custom = "CUSTOM"
}

extension PolicyManifest {
  init(
    _ root: Fields, _ metadata: Metadata, rootNamespace: String, _ reader: inout ObjectReader
  ) {
    let spec = reader.mapping(root["spec"], .policySpec) ?? .absent(at: "spec", line: root.line)
    selector = reader.selector(spec)
    let targets = reader.policyTargets(spec)
    targetServices = targets.services
    origin = reader.origin
    let word = reader.word(spec["action"], of: RequestedAction.allCases.map(\.rawValue))
    let action = word.flatMap(RequestedAction.init(rawValue:)) ?? .allow
    let isDryRun = reader.isDryRun(metadata.annotations)
    let rules = reader.policyRules(spec, action)
    if targets.isWritten, !selector.isEmpty {
      reader.report(
        .error, .invalidValue, at: spec.pathOf("targetRefs"), line: spec.line,
        "expected either a selector or targetRefs, found both")
    }
    guard action != .audit else {
      reader.report(
        .warning, .ignored, at: spec.pathOf("action"), line: spec.line,
        "AUDIT is not supported; the policy neither allows nor denies anything")
      return
    }
    guard !targets.isWritten || !targetServices.isEmpty else { return }
    let isSelective = !selector.isEmpty || !targetServices.isEmpty
    let wide: AuthorizationPolicy.Scope =
      metadata.namespace == rootNamespace ? .global : .namespace
    policy = AuthorizationPolicy(
      key: PolicyKey(namespace: metadata.namespace, name: metadata.name),
      scope: isSelective ? .workloadSelector : wide, action: action == .allow ? .allow : .deny,
      isDryRun: isDryRun, rules: rules)
  }
}

extension ObjectReader {
  /// The labels of `spec.selector.matchLabels`.
  mutating func selector(_ spec: Fields) -> [String: String] {
    guard let selector = mapping(spec["selector"], .workloadSelector) else { return [:] }
    let labels = texts(selector["matchLabels"])
    for (key, value) in labels.sorted(by: { $0.key < $1.key }) where value.contains("*") {
      report(
        .error, .invalidValue, at: selector.pathOf("matchLabels[\(quoted(key))]"),
        line: selector.line, "expected a label's whole value, found the pattern \(quoted(value))")
    }
    return labels
  }

  fileprivate mutating func isDryRun(_ annotations: Fields) -> Bool {
    guard let written = string(annotations[Key.dryRun]) else { return false }
    switch written.value.lowercased() {
    case "true", "t", "1": return true
    case "false", "f", "0": return false
    default:
      invalid(written, "expected \"true\" or \"false\", found \(quoted(written.value))")
      return false
    }
  }

  /// The services among `spec.targetRefs`; what needs a waypoint or a gateway is said to be without.
  fileprivate mutating func policyTargets(
    _ spec: Fields
  ) -> (services: [Written<String>], isWritten: Bool) {
    var references = mappings(spec["targetRefs"], .targetReference)
    if let single = mapping(spec["targetRef"], .targetReference) { references.append(single) }
    var services: [Written<String>] = []
    for reference in references {
      guard let kind = string(reference["kind"]), let name = string(reference["name"]) else {
        report(
          .error, .missing, at: reference.path, line: reference.line, "expected a kind and a name")
        continue
      }
      let group = string(reference["group"])?.value ?? ""
      if kind.value == "Service", group.isEmpty || group == "core" {
        services.append(name)
        report(
          .refusal, .notEnforcedAsWritten, at: reference.path, line: reference.line,
          "no waypoint enforces this; the policy's L4 part applies to all traffic of the workloads "
            + "of service \(quoted(name.value))")
      } else {
        report(
          .warning, .ignored, at: reference.path, line: reference.line,
          "there is no \(kind.value) here; the policy does not apply to anything through it")
      }
    }
    return (services, !references.isEmpty)
  }

  /// The rules that can be enforced, each at least as strict as it was written.
  fileprivate mutating func policyRules(
    _ spec: Fields, _ action: RequestedAction
  ) -> [AuthorizationPolicy.Rule] {
    if action == .custom {
      report(
        .refusal, .notEnforcedAsWritten, at: spec.pathOf("action"), line: spec.line,
        "there is no external authorizer to ask; what the rules select is denied")
    }
    let written = mappings(spec["rules"], .policyRule)
    if written.isEmpty, action == .deny || action == .custom {
      report(
        .warning, .selectsNothing, at: spec.pathOf("rules"), line: spec.line,
        "no rules: this policy never denies anything")
    }
    var rules: [AuthorizationPolicy.Rule] = []
    for fields in written {
      if let rule = policyRule(fields, action) { rules.append(rule) }
    }
    return rules
  }
}

extension Schema {
  fileprivate static let policySpec = Schema(
    "action provider rules selector targetRef targetRefs", unknownField: .error)
  fileprivate static let targetReference = Schema(
    "group kind name namespace", unknownField: .error)
  fileprivate static let policyRule = Schema("from to when", unknownField: .error)
  fileprivate static let workloadSelector = Schema("matchLabels", unknownField: .error)
}
