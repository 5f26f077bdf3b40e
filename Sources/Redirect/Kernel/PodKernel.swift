import CBPF
import Linux
import MeshModel

/// One pod's pinned objects, opened, and the steps that change them.
///
/// Steps inside the namespace expect the calling thread to be there.
struct PodKernel: ~Copyable {
  static let egressPrograms: Set<String> = ["egress", "egress_bare"]

  let pins: PodPins
  let listeners: BPFMap<UInt32, UInt64>
  let dnsSockets: BPFMap<UInt32, UInt64>
  let addresses: BPFMap<redirect_address, UInt8>
  let counters: OwnedDescriptor
  let passageMap: BPFMap<UInt32, redirect_passage>
  /// By the cookie of the pod's own socket.
  let kept: BPFMap<UInt64, redirect_kept>
  private let factsMap: BPFMap<UInt32, redirect_facts>

  /// Opens what is pinned; nil when there is no directory or it has no facts, so nothing was attached.
  static func open(_ pins: PodPins) throws(RedirectError) -> PodKernel? {
    guard let facts = try BPFSystem.openIfThere(pins.facts) else { return nil }
    return PodKernel(
      pins: pins, listeners: BPFMap("listeners", try BPFSystem.open(pins.listeners)),
      dnsSockets: BPFMap("dns_sockets", try BPFSystem.open(pins.dnsSockets)),
      addresses: BPFMap("local_addresses", try BPFSystem.open(pins.addresses)),
      counters: try BPFSystem.open(pins.counters),
      passageMap: BPFMap("passage", try BPFSystem.open(pins.passage)),
      kept: BPFMap("kept", try BPFSystem.open(pins.kept)), factsMap: BPFMap("facts", facts))
  }

  /// Loads and pins everything, the facts last as the sign of a whole set; nothing is attached.
  ///
  /// - room: how many connections may live on while others are captured.
  static func make(
    _ pins: PodPins, facts: StoredFacts, room: Int = 1, shared: borrowing SharedMaps
  ) throws(RedirectError) -> PodKernel {
    // A directory without facts is what a crash left of this very step.
    if pins.exists { try pins.remove() }
    try pins.make()
    let lookup = try LoadedObject.load(.lookup, programs: ["lookup"], reusing: shared.byName)
    let counters = try lookup.map("counters")
    let dnsSockets = try lookup.map("dns_sockets")
    let passage = try lookup.map("passage")
    let kept = try makeKept(room: room)
    let egress = try LoadedObject.load(
      .egress, programs: egressPrograms,
      reusing: shared.byName + [
        ("counters", counters.number), ("dns_sockets", dnsSockets.number),
        ("passage", passage.number), ("kept", kept.descriptor.number),
      ])
    let listeners = try lookup.map("listeners")
    let addresses = try lookup.map("local_addresses")
    let size = UInt32(MemoryLayout<redirect_facts>.size)
    let factsNumber = unsafe cbpf_array_make("facts", size)
    guard factsNumber >= 0 else {
      throw .map(name: "facts", LinuxError(call: "bpf_map_create", errno: -factsNumber))
    }
    let factsMap = BPFMap<UInt32, redirect_facts>("facts", OwnedDescriptor(adopting: factsNumber))
    try factsMap.put(0, facts.stored)

    let lookupProgram = try lookup.program("lookup")
    try BPFSystem.pin(lookupProgram.number, at: pins.program("lookup"))
    for name in egressPrograms.sorted() {
      let program = try egress.program(name)
      try BPFSystem.pin(program.number, at: pins.program(name))
    }
    try BPFSystem.pin(listeners.number, at: pins.listeners)
    try BPFSystem.pin(dnsSockets.number, at: pins.dnsSockets)
    try BPFSystem.pin(addresses.number, at: pins.addresses)
    try BPFSystem.pin(counters.number, at: pins.counters)
    try BPFSystem.pin(passage.number, at: pins.passage)
    try BPFSystem.pin(kept.descriptor.number, at: pins.kept)
    try BPFSystem.pin(factsMap.descriptor.number, at: pins.facts)
    return PodKernel(
      pins: pins, listeners: BPFMap("listeners", listeners),
      dnsSockets: BPFMap("dns_sockets", dnsSockets),
      addresses: BPFMap("local_addresses", addresses), counters: counters,
      passageMap: BPFMap("passage", passage), kept: kept, factsMap: factsMap)
  }

  private init(
    pins: PodPins, listeners: consuming BPFMap<UInt32, UInt64>,
    dnsSockets: consuming BPFMap<UInt32, UInt64>,
    addresses: consuming BPFMap<redirect_address, UInt8>, counters: consuming OwnedDescriptor,
    passageMap: consuming BPFMap<UInt32, redirect_passage>,
    kept: consuming BPFMap<UInt64, redirect_kept>,
    factsMap: consuming BPFMap<UInt32, redirect_facts>
  ) {
    self.pins = pins
    self.listeners = listeners
    self.dnsSockets = dnsSockets
    self.addresses = addresses
    self.counters = counters
    self.passageMap = passageMap
    self.kept = kept
    self.factsMap = factsMap
  }

  func facts() throws(RedirectError) -> StoredFacts {
    guard let stored = try factsMap.value(0, else: redirect_facts()) else {
      throw .missing(what: "facts", object: pins.path)
    }
    return StoredFacts(stored)
  }

  func change(_ body: (inout StoredFacts) -> Void) throws(RedirectError) {
    var facts = try facts()
    let before = facts
    body(&facts)
    if facts != before { try factsMap.put(0, facts.stored) }
  }

  func localAddresses() throws(RedirectError) -> Set<IPAddress> {
    let keys = try addresses.keys(like: redirect_address(), limit: RedirectLimit.addressesPerPod)
    return Set(keys.map(\.address))
  }

  /// Writes every listener over the slot's old one, in one step each.
  func put(_ listeners: PodListeners) throws(RedirectError) {
    for (slot, number) in listeners.slots.enumerated() {
      guard let number else { continue }
      try self.listeners.put(UInt32(slot), UInt64(number))
    }
  }

  /// Which slots hold a listener: a sockmap tells sockets' cookies, and forgets closed ones.
  func filledSlots() throws(RedirectError) -> [Bool] {
    var filled: [Bool] = []
    for slot in 0..<UInt32(REDIRECT_LISTENERS.rawValue) {
      filled.append(try listeners.value(slot, else: 0) != nil)
    }
    return filled
  }

  /// The same for the DNS sockets; a family that is not given loses its own.
  func put(_ sockets: PodDNSSockets) throws(RedirectError) {
    for (slot, number) in sockets.slots.enumerated() {
      if let number {
        try dnsSockets.put(UInt32(slot), UInt64(number))
      } else {
        try dnsSockets.remove(UInt32(slot))
      }
    }
  }

  func removeDNSSockets() throws(RedirectError) {
    for slot in 0..<UInt32(REDIRECT_DNS_SOCKETS.rawValue) { try dnsSockets.remove(slot) }
  }

  func filledDNSSlots() throws(RedirectError) -> [Bool] {
    var filled: [Bool] = []
    for slot in 0..<UInt32(REDIRECT_DNS_SOCKETS.rawValue) {
      filled.append(try dnsSockets.value(slot, else: 0) != nil)
    }
    return filled
  }
}
