import Telemetry

/// The parts of a status report that can be asked for alone.
enum StatusSection: String, CaseIterable, Sendable {
  case node, redirect, ztunnel, model
  case controlPlane = "control-plane"
  case cluster, cni, pods, certificates, signing, trust, connections, tunnels, refusals
}

extension StatusReport {
  /// The report for people: every section under its name, or one section alone.
  func text(section: StatusSection?, colours: Bool) -> String {
    if let section { return body(of: section, colours: colours) }
    return StatusSection.allCases.map { section in
      section.rawValue.uppercased() + "\n" + body(of: section, colours: colours)
    }.joined(separator: "\n")
  }

  private func body(of section: StatusSection, colours: Bool) -> String {
    switch section {
    case .node: Pairs(nodePairs).rendered(colours: colours)
    case .redirect: Pairs(redirectPairs).rendered(colours: colours)
    case .ztunnel: Pairs(ztunnelPairs).rendered(colours: colours)
    case .model: Pairs(modelPairs).rendered(colours: colours) + diagnosticLines
    case .controlPlane: controlPlaneText(colours: colours)
    case .cluster: clusterText(colours: colours)
    case .cni: cniText(colours: colours)
    case .pods: podTable.rendered(colours: colours) + podReasons
    case .certificates: certificateTable.rendered(colours: colours)
    case .signing: signingText(colours: colours)
    case .trust: trustText(colours: colours)
    case .connections: connectionTable.rendered(colours: colours)
    case .tunnels: tunnelTable.rendered(colours: colours)
    case .refusals: refusalText(colours: colours)
    }
  }

  private var nodePairs: [(String, Table.Cell)] {
    var pairs: [(String, Table.Cell)] = [
      ("name", Table.Cell(node.name)),
      ("health", node.isHealthy ? Table.Cell("healthy", .good) : Table.Cell("unhealthy", .bad)),
    ]
    pairs += node.problems.map { ("problem", Table.Cell($0, .bad)) }
    pairs += [
      ("version", Table.Cell(node.version)),
      ("trust domain", Table.Cell(node.trustDomain)),
      ("process", Table.Cell(String(node.processID))),
      ("up", Table.Cell(Duration.milliseconds(Int64(node.uptimeSeconds * 1_000)).brief)),
      ("manifests", Table.Cell(node.configDirectory)),
      ("state", Table.Cell(node.stateDirectory)),
    ]
    if node.isDraining { pairs.append(("draining", Table.Cell("yes", .warning))) }
    return pairs
  }

  private var redirectPairs: [(String, Table.Cell)] {
    [
      ("attachment", Table.Cell(redirect.attachment)),
      ("pins", Table.Cell(redirect.pinDirectory)),
      ("enrolled pods", Table.Cell(String(redirect.enrolledPods))),
      (
        "probe bypass",
        Table.Cell(redirect.isProbeBypassActive ? redirect.probeCgroup ?? "on" : "off")
      ),
    ]
  }

  private var ztunnelPairs: [(String, Table.Cell)] {
    let tone: Table.Tone = ztunnel.isConnected ? .good : .bad
    func number<N: BinaryInteger>(_ value: N?) -> Table.Cell {
      Table.Cell(value.map { "\($0)" } ?? "")
    }
    var pairs: [(String, Table.Cell)] = [
      (
        "state",
        Table.Cell(ztunnel.isConnected ? ztunnel.state : "\(ztunnel.state), not connected", tone)
      ),
      ("process", number(ztunnel.processID)),
      ("cgroup", Table.Cell(ztunnel.cgroup)),
      ("restarts", number(ztunnel.restarts)),
    ]
    if let lastExit = ztunnel.lastExit {
      pairs.append(("last exit", Table.Cell(lastExit, .warning)))
    }
    return pairs + [
      ("generation", number(ztunnel.generation)),
      ("threads", number(ztunnel.threads)),
      ("pods", number(ztunnel.pods)),
      ("connections", number(ztunnel.liveConnections)),
      ("tunnel connections", number(ztunnel.tunnelConnections)),
      ("memory", Table.Cell(ztunnel.residentBytes.map(byteText) ?? "")),
      ("descriptors", number(ztunnel.openDescriptors)),
    ]
  }

  private var modelPairs: [(String, Table.Cell)] {
    var pairs: [(String, Table.Cell)] = [
      ("generation", Table.Cell(String(model.generation))),
      (
        "enforced",
        Table.Cell(
          String(model.enforcedGeneration),
          model.enforcedGeneration == model.generation ? .good : .warning)
      ),
      ("changed", Table.Cell(model.changedAt ?? "")),
      (
        "time to enforce",
        Table.Cell(model.timeToEnforceMilliseconds.map { "\(Int64($0))ms" } ?? "")
      ),
      ("workloads", Table.Cell(String(model.workloads))),
      ("services", Table.Cell(String(model.services))),
      ("policies", Table.Cell(String(model.policies))),
    ]
    if model.isStale {
      pairs.append(("manifests", Table.Cell("refused; the last good generation stays", .bad)))
    }
    if let rejection = model.rejection {
      pairs.append(("ztunnel", Table.Cell("refused the generation: \(rejection)", .bad)))
    }
    return pairs
  }

  private var diagnosticLines: String {
    let shown = model.diagnostics.map { $0.text + "\n" }.joined()
    let left = model.errors + model.refused + model.warnings - model.diagnostics.count
    return shown + (left > 0 ? "… and \(left) more\n" : "")
  }

  private var podReasons: String {
    pods.flatMap { pod in
      [pod.reason, pod.livingConnections?.sentence].compactMap(\.self)
        .map { "\(pod.namespace)/\(pod.name): \($0)\n" }
    }.joined()
  }

  private func refusalText(colours: Bool) -> String {
    // Both ends on this node make two records of one refusal, with one reason.
    var told: Set<String> = []
    let reasons = refusals.filter { told.insert($0.id + $0.reason).inserted }
    return refusalTable.rendered(colours: colours)
      + reasons.map { "\($0.id): \($0.reason)\n" }.joined()
  }
}

extension LivingConnectionStatus {
  /// Nil for those that the state's reason tells of.
  fileprivate var sentence: String? {
    switch kind {
    case "grandfathered":
      "\(count) connections of before its enrolment go on in plaintext, and no policy judges them, "
        + "at most until \(until)"
    case "draining":
      "\(count) connections of the mesh end as such, at most until \(until)"
    default: nil
    }
  }
}

extension DiagnosticStatus {
  /// As `node-agent check` writes it: `shop/web.yaml:12: error: document 2, Pod shop/web, …`.
  var text: String {
    let place = (file.isEmpty ? "manifests" : file) + (line > 0 ? ":\(line)" : "")
    let subject = [document > 0 ? "document \(document)" : "", object, field].filter { !$0.isEmpty }
    let about = subject.isEmpty ? "" : subject.joined(separator: ", ") + ": "
    return "\(place): \(severity): \(about)\(message)"
  }
}

/// Names and values below one another.
struct Pairs {
  let pairs: [(String, Table.Cell)]

  init(_ pairs: [(String, Table.Cell)]) { self.pairs = pairs }

  func rendered(colours: Bool) -> String {
    let width = pairs.map(\.0.count).max() ?? 0
    return pairs.map { name, cell in
      let text = cell.text.isEmpty ? "-" : cell.text
      return name + String(repeating: " ", count: width - name.count + 2)
        + cell.tone.paint(text, colours: colours) + "\n"
    }.joined()
  }
}

/// Bytes for people: `812 B`, `4.2 MiB`.
func byteText(_ bytes: UInt64) -> String {
  var (value, unit) = (Double(bytes), 0)
  let units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"]
  while value >= 1_024, unit < units.count - 1 { (value, unit) = (value / 1_024, unit + 1) }
  if unit == 0 { return "\(bytes) B" }
  let tenths = Int((value * 10).rounded())
  return "\(tenths / 10).\(tenths % 10) \(units[unit])"
}
