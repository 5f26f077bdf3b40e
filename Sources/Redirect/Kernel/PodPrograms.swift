import CBPF
import Glibc
import Linux

/// Programs on a pod's hooks.
extension PodKernel {
  func hasLookup() throws(RedirectError) -> Bool {
    guard let link = try BPFSystem.openIfThere(pins.lookupLink) else { return false }
    return try BPFSystem.facts(ofLink: link.number).target != 0
  }

  func attachLookup(namespace: CInt) throws(RedirectError) {
    try removePin(pins.lookupLink)
    let program = try BPFSystem.open(pins.program("lookup"))
    let link = try BPFSystem.link(
      program: program.number, to: namespace, BPF_SK_LOOKUP, hook: "sk_lookup")
    try BPFSystem.pin(link.number, at: pins.lookupLink)
  }

  func detachLookup() throws(RedirectError) {
    guard let link = try BPFSystem.openIfThere(pins.lookupLink) else { return }
    try BPFSystem.detach(link: link.number, hook: "sk_lookup")
    try removePin(pins.lookupLink)
  }

  /// The pinned tcx links, as the kernel tells of them.
  func egressLinks() throws(RedirectError) -> [(path: String, facts: BPFSystem.LinkFacts)] {
    var links: [(path: String, facts: BPFSystem.LinkFacts)] = []
    for path in try pins.egressLinks() {
      let link = try BPFSystem.open(path)
      links.append((path, try BPFSystem.facts(ofLink: link.number)))
    }
    return links
  }

  /// The program an interface of the thread's namespace has from us; nil when it has none.
  ///
  /// Asked of the interface itself: an index alone proves nothing, since a pod may have moved the
  /// interface away and made another with its index.
  func egressProgram(on index: UInt32) throws(RedirectError) -> UInt32? {
    switch try facts().attachment {
    case .tcx:
      let ours = try egressLinks().filter { $0.facts.target == index }.map(\.facts.programID)
      return BPFSystem.tcxPrograms(on: index).first(where: ours.contains)
    case .clsact:
      var attached: UInt32 = 0
      guard unsafe cbpf_clsact_query(CInt(index), &attached) == 0 else { return nil }
      for name in PodKernel.egressPrograms.sorted() {
        let program = try BPFSystem.open(pins.program(name))
        if try BPFSystem.id(ofProgram: program.number) == attached { return attached }
      }
      return nil
    }
  }

  func attachEgress(to interface: PodInterface) throws(RedirectError) {
    let name = interface.hasEthernetHeader ? "egress" : "egress_bare"
    let program = try BPFSystem.open(pins.program(name))
    switch try facts().attachment {
    case .tcx:
      let link = try BPFSystem.link(
        program: program.number, to: CInt(interface.index), BPFSystem.tcxEgress,
        hook: "tcx egress of interface \(interface.index)")
      let id = try BPFSystem.facts(ofLink: link.number).id
      try BPFSystem.pin(link.number, at: pins.egressLink(id: id))
    case .clsact:
      try attachFilter(program.number, to: CInt(interface.index))
    }
  }

  private func attachFilter(_ program: CInt, to index: CInt) throws(RedirectError) {
    let made = cbpf_clsact_make(index)
    guard made == 0 || made == -EEXIST else {
      throw .attach(
        hook: "clsact of interface \(index)", LinuxError(call: "bpf_tc_hook_create", errno: -made))
    }
    var facts = try facts()
    // Kept from an earlier attachment that was cut short: the qdisc is still ours.
    let wasOurs = facts.interfaces.contains { $0.index == UInt32(index) && $0.madeClsact }
    facts.interfaces.removeAll { $0.index == UInt32(index) }
    facts.interfaces.append(.init(index: UInt32(index), madeClsact: made == 0 || wasOurs))
    guard facts.interfaces.count <= RedirectLimit.interfacesPerPod else {
      throw .tooMany(
        what: "interfaces of \(pins.uid)", count: facts.interfaces.count,
        limit: RedirectLimit.interfacesPerPod)
    }
    try change { $0.interfaces = facts.interfaces }
    let attached = cbpf_clsact_attach(index, program, 1)
    guard attached == 0 else {
      throw .attach(
        hook: "clsact of interface \(index)", LinuxError(call: "bpf_tc_attach", errno: -attached))
    }
  }

  /// Forgets interfaces that are gone; `present` are those of the namespace.
  func sweepEgress(present: Set<UInt32>) throws(RedirectError) {
    for link in try egressLinks() where link.facts.target == 0 { try removePin(link.path) }
    try change { $0.interfaces.removeAll { !present.contains($0.index) } }
  }

  /// Takes the egress program off everything; filters only when the thread is in the namespace.
  func detachEgress(isInNamespace: Bool) throws(RedirectError) {
    for path in try pins.egressLinks() {
      let link = try BPFSystem.open(path)
      try BPFSystem.detach(link: link.number, hook: "tcx egress")
      try removePin(path)
    }
    guard isInNamespace else { return }
    for interface in try facts().interfaces {
      let index = CInt(interface.index)
      let result =
        interface.madeClsact ? cbpf_clsact_remove(index) : cbpf_clsact_detach(index)
      // Gone with its interface, or removed by somebody else.
      guard result == 0 || [-ENOENT, -EINVAL, -ENODEV].contains(result) else {
        throw .attach(
          hook: "clsact of interface \(index)", LinuxError(call: "bpf_tc_detach", errno: -result))
      }
    }
    try change { $0.interfaces = [] }
  }

  /// Loads this build's programs over the same maps and puts them in place, hook by hook.
  ///
  /// Filters are replaced only when the thread is in the namespace; whether all was replaced.
  ///
  /// - kept: in place of the map of this name, which may be too small.
  func replacePrograms(
    shared: borrowing SharedMaps, isInNamespace: Bool, kept number: CInt? = nil
  ) throws(RedirectError) -> Bool {
    let facts = try facts()
    if facts.attachment == .clsact && !isInNamespace { return false }
    let maps =
      shared.byName + [
        ("counters", counters.number), ("dns_sockets", dnsSockets.descriptor.number),
        ("passage", passageMap.descriptor.number),
      ]
    let lookup = try LoadedObject.load(
      .lookup, programs: ["lookup"],
      reusing: maps + [
        ("listeners", listeners.descriptor.number),
        ("local_addresses", addresses.descriptor.number),
      ])
    let egress = try LoadedObject.load(
      .egress, programs: PodKernel.egressPrograms,
      reusing: maps + [("kept", number ?? kept.descriptor.number)])
    let lookupProgram = try lookup.program("lookup")
    if let link = try BPFSystem.openIfThere(pins.lookupLink) {
      try BPFSystem.update(link: link.number, to: lookupProgram.number, hook: "sk_lookup")
    }
    let ethernet = try egress.program("egress")
    let bare = try egress.program("egress_bare")
    for path in try pins.egressLinks() {
      let link = try BPFSystem.open(path)
      let old = try BPFSystem.facts(ofLink: link.number)
      // Its interface is gone: nothing to update.
      if old.target == 0 { continue }
      let isBare = try BPFSystem.name(ofProgram: old.programID) == "egress_bare"
      try BPFSystem.update(
        link: link.number, to: isBare ? bare.number : ethernet.number, hook: "tcx egress")
    }
    for interface in facts.interfaces {
      var old: UInt32 = 0
      // Somebody removed it: the plan attaches it anew.
      guard unsafe cbpf_clsact_query(CInt(interface.index), &old) == 0 else { continue }
      let isBare = try BPFSystem.name(ofProgram: old) == "egress_bare"
      try attachFilter(isBare ? bare.number : ethernet.number, to: CInt(interface.index))
    }
    try replacePin(lookupProgram.number, at: pins.program("lookup"))
    try replacePin(ethernet.number, at: pins.program("egress"))
    try replacePin(bare.number, at: pins.program("egress_bare"))
    try change { $0.fingerprint = EmbeddedObject.fingerprint }
    return true
  }
}
