import MeshModel

/// The two halves of the Internet Protocol, where each needs a step of its own.
enum IPFamily: Hashable, Sendable, CaseIterable {
  case v4, v6
}

/// A sysctl of the pod's namespace that is set to 1.
enum RedirectionSysctl: Int, Hashable, Sendable, CaseIterable {
  /// Closed ports answer into the pod, not to the client whose address ztunnel kept.
  case fwmarkReflect4 = 0
  case fwmarkReflect6 = 1
  /// lo takes IPv4 packets whose source is the pod's own address: those that were looped.
  case acceptLocal = 2
  /// What the application answers to ztunnel stays in the pod, though nothing is looped any more.
  case acceptMark = 3

  /// Those an enrolled pod has; the others are for the way out.
  static let ofCapture: [RedirectionSysctl] = [.fwmarkReflect4, .fwmarkReflect6, .acceptLocal]

  /// The path below /proc/sys.
  var name: String {
    switch self {
    case .fwmarkReflect4: "net/ipv4/fwmark_reflect"
    case .fwmarkReflect6: "net/ipv6/fwmark_reflect"
    case .acceptLocal: "net/ipv4/conf/lo/accept_local"
    case .acceptMark: "net/ipv4/tcp_fwmark_accept"
    }
  }

  var family: IPFamily { self == .fwmarkReflect6 ? .v6 : .v4 }
}

/// An interface of a pod's namespace.
struct PodInterface: Hashable, Sendable {
  var index: UInt32
  /// False for tun, WireGuard and their like, whose packets start with the IP header.
  var hasEthernetHeader: Bool
}

/// What a pod's redirection should be, read off the pod's namespace.
struct DesiredRedirection: Hashable, Sendable {
  /// Every address of every interface, link-local ones too, loopback ones not.
  var addresses: Set<IPAddress>
  /// All interfaces but lo.
  var interfaces: Set<PodInterface>
  /// The source of local routes; nil where the pod has no address of that family.
  var routeSource4: IPAddress?
  var routeSource6: IPAddress?
  /// False when the namespace has no IPv6 at all.
  var hasIPv6: Bool

  var families: [IPFamily] { hasIPv6 ? [.v4, .v6] : [.v4] }

  func routeSource(_ family: IPFamily) -> IPAddress? {
    switch family {
    case .v4: routeSource4
    case .v6: routeSource6
    }
  }
}

/// What a pod's redirection is, read off its pins and its namespace.
struct CurrentRedirection: Hashable, Sendable {
  var addresses: Set<IPAddress> = []
  /// Indexes of the namespace's interfaces on which the kernel finds our egress program.
  var interfaces: Set<UInt32> = []
  var hasLookup = false
  /// Whether the programs are this build's.
  var isThisBuild = true
  var isComplete = false
  var mode = Passage.Mode.capture
}

/// One step, safe if the next never happens.
enum RedirectionChange: Hashable, Sendable {
  case makeObjects
  /// Loads this build's programs beside the old maps and puts them in the old ones' place.
  case replacePrograms
  case putListeners
  case putAddress(IPAddress)
  case attachLookup
  case addRule(IPFamily)
  case addRoute(IPFamily, source: IPAddress?)
  case set(RedirectionSysctl)
  /// Denies the pod's sockets what would write past the egress program.
  case guardNamespace
  case attachEgress(PodInterface)
  /// Says what becomes of the pod's connections from now on.
  case setPassage(Passage)
  /// Writes down the connections that are there.
  case recordConnections
  case complete

  case removeAddress(IPAddress)
  /// Forgets interfaces that are no more. One that only moved to another namespace keeps its program.
  case sweepEgress
  case detachEgress
  case unguardNamespace
  case detachLookup
  case removeRoute(IPFamily)
  case removeRule(IPFamily)
  case restore(RedirectionSysctl)
  case removeObjects
}

enum RedirectionPlan {
  /// The steps that enrol a pod, or complete an enrolment that was cut short or is of another build.
  ///
  /// Connections are given to ztunnel before its answers find their way, and only then are packets
  /// looped: whatever is cut short, nothing that was encrypted becomes plain. Rules, routes and sysctls
  /// come again each time, since a pod may have removed them.
  ///
  /// - deadline: until when connections of a pod that is not captured yet may go on; nil: not at all.
  static func enrolling(
    _ desired: DesiredRedirection, from current: CurrentRedirection?,
    keepingUntil deadline: Instant? = nil
  ) -> [RedirectionChange] {
    var changes: [RedirectionChange] = []
    if let current {
      if !current.isThisBuild { changes.append(.replacePrograms) }
    } else {
      changes.append(.makeObjects)
    }
    let current = current ?? CurrentRedirection()
    changes += additions(desired.addresses, to: current.addresses)
    changes.append(.putListeners)
    let wasCaptured = current.isComplete && [.capture, .keep].contains(current.mode)
    if let deadline, !wasCaptured {
      changes += capturingLate(desired, from: current, keepingUntil: deadline)
    } else {
      if !current.hasLookup { changes.append(.attachLookup) }
      changes += settings(desired)
      changes.append(.guardNamespace)
      changes += interfaceChanges(desired, from: current)
      if !wasCaptured, current.mode != .capture { changes.append(.setPassage(.capture)) }
    }
    changes += removals(of: current.addresses, keeping: desired.addresses)
    if current.mode == .leave || current.mode == .drain { changes.append(.restore(.acceptMark)) }
    changes.append(.complete)
    return changes
  }

  /// The same, where connections that live go on.
  ///
  /// What passes is written down before what is there is, and both before ztunnel gets anything: no
  /// connection falls between the two.
  private static func capturingLate(
    _ desired: DesiredRedirection, from current: CurrentRedirection, keepingUntil deadline: Instant
  ) -> [RedirectionChange] {
    var changes: [RedirectionChange] = [.setPassage(Passage(.enter, until: deadline))]
    changes += interfaceChanges(desired, from: current)
    changes.append(.recordConnections)
    changes += settings(desired)
    if !current.hasLookup { changes.append(.attachLookup) }
    changes.append(.guardNamespace)
    changes.append(.setPassage(Passage(.keep, until: deadline)))
    return changes
  }

  /// The steps that have a pod take tunnels while all else is its own still, until it is enrolled.
  ///
  /// Nothing is complete then, and an enrolment goes on from there.
  static func opening(
    _ desired: DesiredRedirection, from current: CurrentRedirection?, until: Instant
  ) -> [RedirectionChange] {
    var changes: [RedirectionChange] = current == nil ? [.makeObjects] : []
    if current?.isThisBuild == false { changes.append(.replacePrograms) }
    changes += additions(desired.addresses, to: current?.addresses ?? [])
    changes += [.putListeners, .setPassage(Passage(.drain, until: until))]
    changes += settings(desired)
    changes.append(.set(.acceptMark))
    if current?.hasLookup != true { changes.append(.attachLookup) }
    return changes + removals(of: current?.addresses ?? [], keeping: desired.addresses)
  }

  private static func settings(_ desired: DesiredRedirection) -> [RedirectionChange] {
    var changes: [RedirectionChange] = []
    for family in desired.families {
      changes.append(.addRule(family))
      changes.append(.addRoute(family, source: desired.routeSource(family)))
    }
    return changes
      + RedirectionSysctl.ofCapture.filter { desired.families.contains($0.family) }
      .map(RedirectionChange.set)
  }

  /// The steps after an address or interface came or went.
  ///
  /// A new address is known before anything else; one that left, last.
  static func following(
    _ desired: DesiredRedirection, from current: CurrentRedirection
  ) -> [RedirectionChange] {
    additions(desired.addresses, to: current.addresses) + interfaceChanges(desired, from: current)
      + removals(of: current.addresses, keeping: desired.addresses)
  }

  /// The steps that give a pod its traffic back, from whatever state.
  ///
  /// The reverse of enrolling. Without the namespace, which is gone, only the pins are left.
  static func releasing(
    _ current: CurrentRedirection, hasNamespace: Bool
  ) -> [RedirectionChange] {
    var changes: [RedirectionChange] = [.detachEgress, .unguardNamespace]
    if hasNamespace {
      changes += RedirectionSysctl.allCases.reversed().map(RedirectionChange.restore)
      for family in IPFamily.allCases.reversed() {
        changes += [.removeRoute(family), .removeRule(family)]
      }
    }
    if current.hasLookup { changes.append(.detachLookup) }
    return changes + [.removeObjects]
  }

  private static func interfaceChanges(
    _ desired: DesiredRedirection, from current: CurrentRedirection
  ) -> [RedirectionChange] {
    let new = desired.interfaces.filter { !current.interfaces.contains($0.index) }
    return new.sorted { $0.index < $1.index }.map(RedirectionChange.attachEgress) + [.sweepEgress]
  }

  private static func additions(
    _ desired: Set<IPAddress>, to current: Set<IPAddress>
  ) -> [RedirectionChange] {
    desired.subtracting(current).sorted(by: isBefore).map(RedirectionChange.putAddress)
  }

  private static func removals(
    of current: Set<IPAddress>, keeping desired: Set<IPAddress>
  ) -> [RedirectionChange] {
    current.subtracting(desired).sorted(by: isBefore).map(RedirectionChange.removeAddress)
  }

  private static func isBefore(_ a: IPAddress, _ b: IPAddress) -> Bool {
    a.bytes.lexicographicallyPrecedes(b.bytes)
  }
}
