import MeshModel

/// What there is to say about objects of several namespaces, or of several sources.
struct CrossFindings: Equatable {
  private(set) var diagnostics: [Diagnostic] = []
  private var undeclared = Undeclared()

  /// Namespaces with pods that nobody declares, and what there is to say about them.
  private struct Undeclared: Equatable {
    /// The first pod of each.
    var pods: [String: Origin] = [:]
    /// The names that are declared, in order.
    var declared: [String] = []
    var diagnostics: [Diagnostic] = []
  }

  mutating func update(
    _ catalog: Catalog, _ namespaces: [String: NamespaceState], _ entries: NetworkEntries
  ) {
    updateUndeclared(namespaces.compactMapValues(\.roll.undeclaredPod), catalog)
    diagnostics = undeclared.diagnostics + entries.diagnostics
    for (name, declarations) in catalog.declarations.contested {
      let items = declarations.compactMap(catalog.item)
      for item in items.dropFirst() {
        diagnostics.append(
          item.origin.diagnostic(
            .error, .duplicateObject,
            "expected each object once; it is also at "
              + "\(items.first?.origin.place ?? "another place of \(name)")"))
      }
    }
    for (uid, pods) in catalog.podUIDs.contested { addUID(uid, pods) }
    for (address, holders) in catalog.addresses.contested { addAddress(address, holders) }
    for (name, policy) in catalog.rootPolicies where policy.value.policy != nil {
      let reach = namespaces.values.compactMap { $0.outcome?.rootReach[name] }.max() ?? .nobody
      if let finding = policy.value.finding(reach) { diagnostics.append(finding) }
    }
  }

  private mutating func addUID(_ uid: String, _ pods: [AddressHolder]) {
    for (pod, one) in zip(pods.dropFirst(), pods) {
      guard case .pod(let manifest) = pod else { continue }
      diagnostics.append(
        pod.origin.diagnostic(
          .error, .invalidValue, field: "metadata.uid", line: manifest.value.metadata.uid?.line,
          "expected a uid of its own; \(uid) is also at \(one.origin.place)"))
    }
  }

  /// An address belongs to one pod or one service.
  private mutating func addAddress(_ address: IPAddress, _ holders: [AddressHolder]) {
    for (holder, one) in zip(holders.dropFirst(), holders) {
      let written =
        switch holder {
        case .pod(let pod): pod.value.addresses.first { $0.value == address }
        case .service(let service):
          service.value.virtualAddresses.first { $0.value == address }
        }
      guard let written else { continue }
      diagnostics.append(
        holder.origin.diagnostic(
          .error, .duplicateAddress, field: written.path, line: written.line,
          "expected an address of its own; \(address) also belongs to "
            + "\(one.origin.object?.description ?? "another object") at \(one.origin.place)"))
    }
  }

  private mutating func updateUndeclared(_ firstPods: [String: Origin], _ catalog: Catalog) {
    let declared =
      firstPods.isEmpty
      ? [] : catalog.namespaces.values.filter { $0.namespace != nil }.map(\.name).sorted()
    guard firstPods != undeclared.pods || declared != undeclared.declared else { return }
    undeclared = Undeclared(pods: firstPods, declared: declared)
    for (index, (name, pod)) in firstPods.sorted(by: { $0.key < $1.key }).enumerated() {
      // Nobody reads the thousandth, so what it was meant to be is not looked for.
      let meant = index < Limit.hints ? nearest(to: name, among: declared) : nil
      let hint = meant.map { "; did you mean \($0)?" } ?? ""
      undeclared.diagnostics.append(
        pod.diagnostic(
          .warning, .unresolved, field: "metadata.namespace",
          "no Namespace \(name) is declared, so it has no labels\(hint)"))
    }
  }
}
