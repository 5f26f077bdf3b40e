import MeshCompiler

/// What is wrong with PeerAuthentications among each other, and whom they shut out.
func findMutualTLSProblems(_ mesh: MeshObjects, _ report: inout Report) {
  let byNamespace = Dictionary(grouping: mesh.items(.peerAuthentication), by: \.namespace)
  for (_, items) in byNamespace {
    let ordered = items.sorted { $0.precedes($1) }
    checkWide(ordered.filter { !$0.isSelective }, &report)
    checkSelective(ordered.filter(\.isSelective), mesh, &report)
    for item in ordered {
      checkPortModes(of: item, mesh, &report)
      if let mode = item.disabled {
        report.add(
          .disabledIsPermissive, item, at: mode,
          "DISABLE is the same as PERMISSIVE here: connections within the mesh stay encrypted.",
          next: "Write PERMISSIVE, or take the pods out of the mesh.")
      }
    }
  }
  checkOutsiders(byNamespace, mesh, &report)
}

extension Item {
  fileprivate var isSelective: Bool { !spec["selector"]["matchLabels"].labels.isEmpty }

  /// Nil for one that says nothing.
  fileprivate var mode: String? { spec["mtls"]["mode"].text.flatMap { $0 == "UNSET" ? nil : $0 } }

  fileprivate var disabled: Node? {
    let ports = spec["portLevelMtls"]
    let modes = [spec["mtls"]["mode"]] + ports.entries.map { ports.entry($0.key)["mode"] }
    return modes.first { $0.text == "DISABLE" }
  }
}

private func checkWide(_ ordered: [Item], _ report: inout Report) {
  guard let winner = ordered.first else { return }
  for loser in ordered.dropFirst() {
    report.add(
      .overruled, loser,
      "It is without effect: PeerAuthentication \(winner.namespace)/\(winner.name.name) holds for "
        + "the whole namespace too, and is older, or equally old and first by name.",
      next: "Keep one without a selector in a namespace.")
  }
}

private func checkSelective(_ ordered: [Item], _ mesh: MeshObjects, _ report: inout Report) {
  var owners: [Diagnostic.ObjectName: Item] = [:]
  for item in ordered {
    var lost: [Item: [String]] = [:]
    for pod in mesh.pods(of: item) {
      if let owner = owners[pod.item.name] {
        lost[owner, default: []].append(pod.item.name.name)
      } else {
        owners[pod.item.name] = item
      }
    }
    for (owner, pods) in lost {
      report.add(
        .overlapping, item, at: item.spec["selector"],
        "\(owner.name) selects \(listed(pods)) as well, and is the one that counts there.",
        next: "Give the two selectors that take no pod in common.")
    }
  }
}

private func checkPortModes(of item: Item, _ mesh: MeshObjects, _ report: inout Report) {
  let ports = item.spec["portLevelMtls"]
  guard ports.isWritten, item.isSelective else { return }
  let pods = mesh.pods(of: item)
  guard !pods.isEmpty, pods.allSatisfy({ !$0.ports.isEmpty }) else { return }
  let served = Set(pods.flatMap(\.ports).map(\.number))
  for entry in ports.entries {
    guard let port = Int(entry.key), !served.contains(port) else { continue }
    report.add(
      .portServedByNobody, item, at: ports.entry(entry.key),
      "No container of the pods it selects declares port \(port).",
      next: "Write the containerPort, not the service's; they declare "
        + "\(listed(served.map { "\($0)" })).")
  }
}

// MARK: STRICT, and who is outside

/// For each namespace with pods that take mutual TLS alone: the callers known to have none.
private func checkOutsiders(
  _ byNamespace: [String: [Item]], _ mesh: MeshObjects, _ report: inout Report
) {
  let root = byNamespace[mesh.options.rootNamespace] ?? []
  let meshWide = root.filter { !$0.isSelective }.min { $0.precedes($1) }
  for (namespace, index) in mesh.pods {
    let own = (byNamespace[namespace] ?? []).sorted { $0.precedes($1) }
    let wide = own.first { !$0.isSelective }
    let strict = [wide, meshWide].compactMap(\.self).first { $0.mode != nil }
    guard let strict, strict.mode == "STRICT", index.pods.contains(where: \.isEnrolled) else {
      continue
    }
    let outsiders = index.pods.filter { pod in
      switch pod.enrolment {
      case .notEnrolled(.optedOut), .notEnrolled(.hostNetwork), .notEnrolled(.noInjection): true
      default: false
      }
    }
    guard let first = outsiders.first, case .notEnrolled(let reason) = first.enrolment else {
      continue
    }
    report.add(
      .strictWithOutsiders, strict, at: strict.spec["mtls"]["mode"],
      "\(count(outsiders.count, "pod")) of \(namespace), such as \(first.item.name.name), "
        + "\(outsiders.count == 1 ? "is" : "are") not in the mesh (\(reason.rawValue)): "
        + "connections from there to its other pods are refused.",
      next: "Enrol them, or let them in by a PeerAuthentication with a selector and PERMISSIVE.")
  }
}
