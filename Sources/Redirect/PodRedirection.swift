public import MeshModel

/// What a pod's redirection is made for.
public struct PodRedirection: Hashable, Sendable {
  /// The pod's UID; names its pins.
  public var uid: String
  /// The addresses the model gives the pod, each on one of its interfaces.
  public var addresses: [IPAddress]
  /// Kept in the pins, so that `uninstall` finds the namespace again; nil when it has no path.
  public var namespacePath: String?

  public init(uid: String, addresses: [IPAddress], namespacePath: String? = nil) {
    self.uid = uid
    self.addresses = addresses
    self.namespacePath = namespacePath
  }
}

/// The listeners of ztunnel in a pod, as descriptor numbers that stay the caller's.
///
/// Nil without IPv6. The order is that of AgentProtocol's `ListenerKind`.
public struct PodListeners: Hashable, Sendable {
  public var outbound4: CInt
  public var inbound4: CInt
  public var hbone4: CInt
  public var outbound6: CInt?
  public var inbound6: CInt?
  public var hbone6: CInt?

  public init(
    outbound4: CInt, inbound4: CInt, hbone4: CInt, outbound6: CInt? = nil, inbound6: CInt? = nil,
    hbone6: CInt? = nil
  ) {
    self.outbound4 = outbound4
    self.inbound4 = inbound4
    self.hbone4 = hbone4
    self.outbound6 = outbound6
    self.inbound6 = inbound6
    self.hbone6 = hbone6
  }

  /// Three (IPv4 only) or six descriptors in the order of the slots; nil for any other count.
  public init?(_ descriptors: [CInt]) {
    guard descriptors.count == 3 || descriptors.count == 6 else { return nil }
    self.init(outbound4: descriptors[0], inbound4: descriptors[1], hbone4: descriptors[2])
    if descriptors.count == 6 {
      (outbound6, inbound6, hbone6) = (descriptors[3], descriptors[4], descriptors[5])
    }
  }

  /// By slot of the sockmap.
  var slots: [CInt?] { [outbound4, inbound4, hbone4, outbound6, inbound6, hbone6] }
}

/// ztunnel's DNS sockets in a pod, as descriptor numbers that stay the caller's.
///
/// Whoever puts them in place closes its copies at once: a copy kept would make a ztunnel that is
/// dead look alive, and the pod's queries would go nowhere.
public struct PodDNSSockets: Hashable, Sendable {
  public var v4: CInt
  /// Nil without IPv6.
  public var v6: CInt?

  public init(v4: CInt, v6: CInt? = nil) {
    self.v4 = v4
    self.v6 = v6
  }

  /// One (IPv4 only) or two descriptors; nil for any other count.
  public init?(_ descriptors: [CInt]) {
    guard (1...2).contains(descriptors.count) else { return nil }
    self.init(v4: descriptors[0], v6: descriptors.count == 2 ? descriptors[1] : nil)
  }

  /// By slot of the sockmap.
  var slots: [CInt?] { [v4, v6] }
}

/// How the egress program hangs on the pod's interfaces.
public enum EgressHook: String, Hashable, Sendable, CaseIterable {
  /// A pinned link; Linux 6.6. Not even a pod with CAP_NET_ADMIN can remove it.
  case tcx
  /// A filter of the clsact qdisc. A pod with CAP_NET_ADMIN can delete it.
  case clsact
}

/// A pod that was found enrolled, as its pins tell.
public struct AdoptedPod: Hashable, Sendable {
  public var uid: String
  public var namespaceInode: UInt64
  public var namespaceCookie: UInt64
  public var namespacePath: String?
  public var attachment: EgressHook
  /// False when an enrolment was cut short: enrol it again, or release it.
  public var isComplete: Bool
  /// Whether the programs were replaced by this build's.
  public var isUpdated: Bool
}

/// What carries a pod's redirection in the kernel, for status.
public struct PodFacts: Hashable, Sendable {
  public var uid: String
  public var pinPath: String
  public var attachment: EgressHook
  public var isComplete: Bool
  public var namespaceInode: UInt64
  public var namespaceCookie: UInt64
  public var namespacePath: String?
  /// What the kernel says the lookup link hangs on; 0 when that namespace is gone.
  public var lookupNamespaceInode: UInt64
  public var lookupLinkID: UInt32
  public var lookupProgramID: UInt32
  public var interfaces: [InterfaceFacts]
  public var addresses: [IPAddress]
  /// Slots of the sockmap that hold a listener, in the order of `PodListeners`.
  public var listeners: [Bool]
  /// Whether queries over IPv4, and over IPv6, go to ztunnel; otherwise to their own resolver.
  public var dnsSockets: [Bool]
}

/// One interface that carries the egress program.
public struct InterfaceFacts: Hashable, Sendable {
  public var index: UInt32
  /// Nil with clsact.
  public var linkID: UInt32?
  /// Nil when nothing is attached any more: the interface is gone, or somebody removed the filter.
  public var programID: UInt32?
}

/// What a pod's programs did since the pod was enrolled.
public struct RedirectionCounters: Hashable, Sendable {
  // Packets that left, or tried to.
  public var looped: UInt64 = 0
  public var passedAgent: UInt64 = 0
  public var passedProbe: UInt64 = 0
  public var passedOther: UInt64 = 0
  public var passedControl: UInt64 = 0
  public var droppedOrphan: UInt64 = 0
  public var droppedProtocol: UInt64 = 0
  public var droppedMalformed: UInt64 = 0
  // New connections.
  public var givenOutbound: UInt64 = 0
  public var givenInbound: UInt64 = 0
  public var givenHBONE: UInt64 = 0
  public var leftLocal: UInt64 = 0
  public var leftProbe: UInt64 = 0
  public var droppedNoListener: UInt64 = 0
  // DNS queries over UDP.
  public var loopedDNS: UInt64 = 0
  /// Left for their own resolver because ztunnel has no DNS socket.
  public var passedDNS: UInt64 = 0
  public var givenDNS: UInt64 = 0
  // On the pod's way in and out: see `Passage`.
  public var passedKept: UInt64 = 0
  public var passedReleased: UInt64 = 0
  /// Packets of connections for which there was no room, and which are cut.
  public var keptOverflow: UInt64 = 0
  public var leftReleased: UInt64 = 0

  public init() {}

  /// The same numbers with the names that status and metrics use, in a fixed order.
  public var named: [(name: String, value: UInt64)] {
    [
      ("looped", looped), ("passed_agent", passedAgent), ("passed_probe", passedProbe),
      ("passed_other", passedOther), ("passed_control", passedControl),
      ("dropped_orphan", droppedOrphan), ("dropped_protocol", droppedProtocol),
      ("dropped_malformed", droppedMalformed), ("given_outbound", givenOutbound),
      ("given_inbound", givenInbound), ("given_hbone", givenHBONE), ("left_local", leftLocal),
      ("left_probe", leftProbe), ("dropped_no_listener", droppedNoListener),
      ("looped_dns", loopedDNS), ("passed_dns", passedDNS), ("given_dns", givenDNS),
      ("passed_kept", passedKept), ("passed_released", passedReleased),
      ("kept_overflow", keptOverflow), ("left_released", leftReleased),
    ]
  }
}
