public import Linux
import MeshModel

/// What an enrolled pod looks like in the kernel, for status and for its proof.
extension Redirection {
  public borrowing func counters(of uid: String) throws(RedirectError) -> RedirectionCounters {
    try kernel(of: uid).readCounters()
  }

  /// Everything the kernel tells without entering the pod: programs of clsact filters stay nil.
  public borrowing func facts(of uid: String) throws(RedirectError) -> PodFacts {
    try facts(of: try kernel(of: uid)) { _ in nil }
  }

  /// The same, with clsact filters looked up inside the namespace.
  public borrowing func facts(
    of uid: String, namespace: borrowing NetworkNamespace
  ) throws(RedirectError) -> PodFacts {
    let kernel = try kernel(of: uid)
    return try inside(namespace) { () throws(RedirectError) in
      try facts(of: kernel) { index throws(RedirectError) in
        try kernel.egressProgram(on: index)
      }
    }
  }

  private borrowing func facts(
    of kernel: borrowing PodKernel,
    filterProgram: (_ index: UInt32) throws(RedirectError) -> UInt32?
  ) throws(RedirectError) -> PodFacts {
    let stored = try kernel.facts()
    let lookup = try lookupLink(of: kernel)
    var interfaces = try kernel.egressLinks().map { link in
      InterfaceFacts(
        index: link.facts.target, linkID: link.facts.id,
        programID: link.facts.target == 0 ? nil : link.facts.programID)
    }
    for filtered in stored.interfaces {
      let program = try filterProgram(filtered.index)
      interfaces.append(InterfaceFacts(index: filtered.index, linkID: nil, programID: program))
    }
    return PodFacts(
      uid: kernel.pins.uid, pinPath: kernel.pins.path, attachment: stored.attachment,
      isComplete: stored.isComplete, namespaceInode: stored.namespaceInode,
      namespaceCookie: stored.namespaceCookie, namespacePath: stored.namespacePath,
      lookupNamespaceInode: UInt64(lookup?.target ?? 0), lookupLinkID: lookup?.id ?? 0,
      lookupProgramID: lookup?.programID ?? 0,
      interfaces: interfaces.sorted { $0.index < $1.index },
      addresses: try kernel.localAddresses().sorted {
        $0.bytes.lexicographicallyPrecedes($1.bytes)
      },
      listeners: try kernel.filledSlots(), dnsSockets: try kernel.filledDNSSlots())
  }

  /// What a namespace must agree with before a pod counts as proven.
  public borrowing func evidence(
    for pod: PodRedirection, namespace: borrowing NetworkNamespace
  ) throws(RedirectError) -> RedirectionEvidence {
    let kernel = try kernel(of: pod.uid)
    let stored = try kernel.facts()
    let identity = try NamespaceIdentity(of: namespace)
    let lookup = try lookupLink(of: kernel)
    let slots = try kernel.filledSlots()
    let known = try kernel.localAddresses()
    return try inside(namespace) { () throws(RedirectError) in
      let network = try PodNamespace()
      let desired = try network.desired(for: pod.addresses)
      let wanted = desired.hasIPv6 ? slots : Array(slots.prefix(slots.count / 2))
      return RedirectionEvidence(
        namespaceInode: identity.inode, namespaceCookie: identity.cookie,
        pinnedInode: stored.namespaceInode, pinnedCookie: stored.namespaceCookie,
        lookupInode: UInt64(lookup?.target ?? 0),
        openInterfaces: try openInterfaces(kernel, network),
        missingAddresses: pod.addresses.filter { !desired.addresses.contains($0) },
        unknownAddresses: desired.addresses.filter { !known.contains($0) },
        missingListeners: wanted.count { !$0 },
        missingDNSSockets: try kernel.filledDNSSlots().prefix(desired.families.count)
          .count { !$0 },
        missingSettings: try network.missingSettings(desired.families))
    }
  }

  private func lookupLink(
    of kernel: borrowing PodKernel
  ) throws(RedirectError) -> BPFSystem.LinkFacts? {
    guard let link = try BPFSystem.openIfThere(kernel.pins.lookupLink) else { return nil }
    return try BPFSystem.facts(ofLink: link.number)
  }

  private func openInterfaces(
    _ kernel: borrowing PodKernel, _ network: PodNamespace
  ) throws(RedirectError) -> [String] {
    var open: [String] = []
    for link in try network.links()
    where try kernel.egressProgram(on: UInt32(bitPattern: link.index)) == nil {
      open.append(link.name)
    }
    return open
  }
}
