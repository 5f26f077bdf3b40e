/// A connection that reached a workload without passing the waypoint in front of it.
public struct WaypointBypass: Hashable, Sendable {
  /// Whose waypoint it is.
  public var owner: WaypointOwner
  public var waypoint: GatewayAddress
  /// Who may connect, at most `Limit.identities`; empty while nobody behind it is known here.
  public var expected: [SPIFFEID]
  /// Who did; nil for plaintext.
  public var actual: SPIFFEID?

  public init(
    owner: WaypointOwner, waypoint: GatewayAddress, expected: [SPIFFEID], actual: SPIFFEID?
  ) {
    self.owner = owner
    self.waypoint = waypoint
    self.expected = expected
    self.actual = actual
  }

  public enum Limit {
    /// Identities kept with a refusal.
    public static let identities = 16
    /// Identities named in a message.
    public static let shownIdentities = 3
  }
}

extension MeshIndex {
  /// What a connection to a port of a workload passed by; nil when it may come as it did.
  ///
  ///     the workload calls itself                                        may
  ///     a service with a waypoint ends on this port                      from one of those
  ///                                                                      waypoints, or its own
  ///     only services without a waypoint end on it                       may
  ///     no service ends on it and the workload has a waypoint            from that waypoint
  ///     otherwise                                                        may
  ///
  /// A waypoint never counts as in front of itself. Source: decision 0006.
  func bypass(of facts: ConnectionFacts, at workload: Workload) -> WaypointBypass? {
    guard tables.waypointReferences > 0 else { return nil }
    let isOwnCall = facts.sourceIP == facts.destinationIP && facts.source == workload.identity
    guard !isOwnCall else { return nil }
    let demands = demands(on: workload, port: facts.destinationPort)
    guard let first = demands.first else { return nil }
    var expected: [SPIFFEID] = []
    for demand in demands {
      let identities = identities(of: demand.waypoint)
      if let source = facts.source, identities.contains(source) { return nil }
      expected += identities.filter { !expected.contains($0) }
    }
    return WaypointBypass(
      owner: first.owner, waypoint: first.waypoint,
      expected: Array(expected.prefix(WaypointBypass.Limit.identities)), actual: facts.source)
  }

  struct WaypointDemand: Hashable {
    var owner: WaypointOwner
    var waypoint: GatewayAddress
  }

  /// The waypoints that connections to the port come from, those of services first.
  private func demands(on workload: Workload, port: UInt16) -> [WaypointDemand] {
    var demands: [WaypointDemand] = []
    var isOffered = false
    for key in workload.services.keys.sorted() {
      guard let service = model.services[key], service.ends(at: port, on: workload) else {
        continue
      }
      isOffered = true
      demands += service.waypoints.map { WaypointDemand(owner: .service(key), waypoint: $0) }
    }
    if let waypoint = workload.waypoint, !isOffered || !demands.isEmpty {
      demands.append(WaypointDemand(owner: .workload(workload.uid), waypoint: waypoint))
    }
    return demands.contains { isEntry(workload, of: $0.waypoint) } ? [] : demands
  }
}

extension Service {
  /// Whether one of its ports ends at this port of the workload.
  fileprivate func ends(at port: UInt16, on workload: Workload) -> Bool {
    ports.contains { targetPort(for: $0.servicePort, on: workload) == port }
  }
}

extension WaypointBypass: CustomStringConvertible {
  public var description: String {
    let names = expected.prefix(Limit.shownIdentities).map(\.description)
    let more = expected.count - names.count
    let who =
      names.isEmpty
      ? "nobody behind it is known here"
      : names.joined(separator: ", ") + (more > 0 ? " and \(more) more" : "")
    return "\(owner) takes connections through its waypoint \(waypoint) only (\(who)); "
      + "this one came from \(actual?.description ?? "plaintext")"
  }
}
