import MeshCompiler

/// What the mesh needs of a cluster, each with whether it is there and what to change.
public func prerequisites(_ facts: ClusterFacts) -> [Prerequisite] {
  let found =
    versionFindings(facts) + nodeFindings(facts) + networkFindings(facts)
    + injectorFindings(facts) + networkPolicyFindings(facts) + podSecurityFindings(facts)
    + rightFindings(facts)
  let order = Dictionary(
    uniqueKeysWithValues: Prerequisite.Area.allCases.enumerated().map { ($1, $0) })
  return found.sorted { a, b in
    (order[a.area] ?? 0, a.subject, a.message) < (order[b.area] ?? 0, b.subject, b.message)
  }
}

// MARK: Version

private func versionFindings(_ facts: ClusterFacts) -> [Prerequisite] {
  guard let text = facts.version else {
    return [Prerequisite(.version, "Kubernetes", .unknown, "its version could not be read")]
  }
  let version = Release(text)
  if version < Release(major: 1, minor: 20) {
    return [
      Prerequisite(
        .version, "Kubernetes", .bad, "\(text) is older than 1.20, with which nobody tried it",
        next: "Upgrade the cluster.")
    ]
  }
  if version < Release(major: 1, minor: 21) {
    return [
      Prerequisite(
        .version, "Kubernetes", .warning,
        "\(text) serves neither policy/v1 nor discovery.k8s.io/v1: services have the pods their "
          + "selectors take",
        next: "Install with kubectl apply -k manifests/base, or upgrade to 1.21.")
    ]
  }
  return [Prerequisite(.version, "Kubernetes", .good, text)]
}

/// The first two numbers of a version such as `v1.31.2-gke` or `5.15.0-101-generic`.
struct Release: Comparable {
  let major: Int
  let minor: Int

  init(major: Int, minor: Int) {
    self.major = major
    self.minor = minor
  }

  init(_ text: String) {
    let digits = text.drop { !$0.isNumber }
    let parts = digits.split(separator: ".").map { part in
      Int(part.prefix { $0.isASCII && $0.isNumber }) ?? 0
    }
    self.init(major: parts.first ?? 0, minor: parts.count > 1 ? parts[1] : 0)
  }

  static func < (a: Self, b: Self) -> Bool { (a.major, a.minor) < (b.major, b.minor) }
}

// MARK: Sidecars, rights, the namespace

private func injectorFindings(_ facts: ClusterFacts) -> [Prerequisite] {
  guard let webhooks = facts.webhooks else {
    return [
      Prerequisite(.injector, "webhooks", .unknown, "MutatingWebhookConfigurations were not read")
    ]
  }
  let injectors: [(prefix: String, of: String, instead: String)] = [
    ("istio-sidecar-injector", "Istio", "istio-injection"),
    ("istio-revision-tag", "Istio", "istio.io/rev"),
    ("linkerd-proxy-injector", "Linkerd", "linkerd.io/inject"),
    ("consul-connect-injector", "Consul", "connect-inject"),
    ("kuma-", "Kuma", "kuma.io/sidecar-injection"),
  ]
  let found = webhooks.compactMap { webhook -> Prerequisite? in
    guard let name = Node(webhook)["metadata"]["name"].text,
      let injector = injectors.first(where: { name.hasPrefix($0.prefix) })
    else { return nil }
    return Prerequisite(
      .injector, name, .warning,
      "\(injector.of) puts sidecars into pods; such a pod is not enrolled",
      next: "Take \(injector.instead) off the namespaces that Skein is to have, and restart their "
        + "pods.")
  }
  return found.isEmpty
    ? [Prerequisite(.injector, "webhooks", .good, "nobody puts sidecars into pods")] : found
}

private func podSecurityFindings(_ facts: ClusterFacts) -> [Prerequisite] {
  let label = "pod-security.kubernetes.io/enforce"
  let mesh = MeshObjects(AnalysisInput(objects: facts.objects, options: facts.options))
  let level = mesh.namespaceLabels(facts.namespace)[label]
  if facts.unread.contains(.namespace) {
    return [Prerequisite(.podSecurity, facts.namespace, .unknown, "namespaces were not read")]
  }
  if mesh.item(.namespace, "", facts.namespace) == nil {
    return [
      Prerequisite(
        .podSecurity, facts.namespace, .good, "will be made with the label it needs")
    ]
  }
  if level == "privileged" {
    return [Prerequisite(.podSecurity, facts.namespace, .good, "\(label) is privileged")]
  }
  return [
    Prerequisite(
      .podSecurity, facts.namespace, level == nil ? .warning : .bad,
      level.map { "\(label) is \($0), and node-agent is privileged: its pods are refused" }
        ?? "without the label \(label) the cluster's default counts, which may refuse node-agent",
      next: "kubectl label --overwrite namespace \(facts.namespace) \(label)=privileged")
  ]
}

private func rightFindings(_ facts: ClusterFacts) -> [Prerequisite] {
  if facts.rights.isEmpty {
    return [Prerequisite(.rights, "you", .unknown, "the API server did not say what you may do")]
  }
  let missing = facts.rights.filter { !$0.value }.keys.sorted()
  if missing.isEmpty {
    return [Prerequisite(.rights, "you", .good, "may do all that an installation takes")]
  }
  return missing.map { right in
    let place = right.namespace.isEmpty ? "" : " in \(right.namespace)"
    return Prerequisite(
      .rights, "you", .bad, "may not \(right.verb) \(right.resource)\(place)",
      next:
        "Have a rule granted: {apiGroups: [\"\(right.group)\"], resources: [\(right.resource)], "
        + "verbs: [\(right.verb)]}.")
  }
}

// MARK: Network policies

/// What is blocked now, and what would be once the namespaces without a label are enrolled.
private func networkPolicyFindings(_ facts: ClusterFacts) -> [Prerequisite] {
  if facts.unread.contains(.networkPolicy) || facts.unread.contains(.pod) {
    return [
      Prerequisite(.networkPolicy, "port 15008", .unknown, "pods or NetworkPolicies were not read")
    ]
  }
  let mesh = MeshObjects(
    AnalysisInput(
      objects: facts.objects, options: facts.options, completeness: .whole(unread: facts.unread)))
  var now = Report()
  var later = Report()
  findNetworkPolicyProblems(mesh, &now) { $0.isEnrolled }
  findNetworkPolicyProblems(mesh, &later) { $0.enrolment == .notEnrolled(.notLabelled) }
  let found = [(now, Prerequisite.Outcome.bad), (later, .warning)].flatMap { report, outcome in
    report.findings.filter { $0.code != .closedToAll }.map { finding in
      Prerequisite(
        .networkPolicy, finding.object.map { "\($0.namespace)/\($0.name)" } ?? "", outcome,
        outcome == .bad
          ? "\(finding.field) blocks the mesh's TCP 15008"
          : "\(finding.field) will block the mesh's TCP 15008 once the namespace is enrolled",
        next: finding.nextStep)
    }
  }
  return found.isEmpty
    ? [Prerequisite(.networkPolicy, "port 15008", .good, "no NetworkPolicy blocks the mesh")]
    : found
}
