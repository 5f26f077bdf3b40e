import MeshModel

/// Puts waypoints in front of services and workloads of a namespace, as labels ask for them.
struct WaypointAssembly {
  private let scope: Scope
  private let neighbours: Neighbours
  private(set) var workloads: [String: Workload]
  private(set) var services: [ServiceKey: Service]
  private(set) var diagnostics: [Diagnostic] = []
  /// Said once for each object and waypoint.
  private var said: Set<String> = []
  /// What a name nobody declared was likely meant to be.
  private var hints: [PolicyKey: String] = [:]

  init(_ members: Members, _ neighbours: Neighbours) {
    scope = members.scope
    self.neighbours = neighbours
    workloads = members.workloads
    services = members.services
    for manifest in scope.objects.services.values.map(\.value) {
      let key = ServiceKey(
        namespace: scope.objects.name,
        hostname: scope.hostname(manifest.metadata.name, scope.objects.name))
      let waypoint = waypoint(of: .services, manifest.metadata, manifest.origin)
      services[key]?.waypoint = waypoint
    }
    for (key, entry) in members.entries {
      let waypoint = waypoint(of: .services, entry.value.metadata, entry.value.origin)
      services[key]?.waypoint = waypoint
    }
    for (uid, pod) in members.pods {
      guard let waypoint = waypoint(of: .workloads, pod.value.metadata, pod.value.origin) else {
        continue
      }
      workloads[uid]?.waypoint = waypoint
    }
    for waypoint in members.exports.waypoints.values { check(waypoint) }
  }

  private enum Subject {
    case services
    case workloads
  }

  private mutating func waypoint(
    of subject: Subject, _ metadata: Metadata, _ origin: Origin
  ) -> GatewayAddress? {
    guard let choice = scope.waypointChoice(metadata, origin) else { return nil }
    guard choice.isName else {
      say(choice, .error, .invalidValue, "expected the name of a Gateway, or none")
      return nil
    }
    // A waypoint's own service is not behind it.
    if case .services = subject, choice.key.name == metadata.name,
      choice.key.namespace == metadata.namespace
    {
      return nil
    }
    guard let waypoint = neighbours.waypoints[choice.key] else { return missing(choice, subject) }
    let gateway = waypoint.gateway.value
    let isMeant =
      switch subject {
      case .services: gateway.traffic.includesServices
      case .workloads: gateway.traffic.includesWorkloads
      }
    guard isMeant else {
      if choice.isOwn {
        say(
          choice, .warning, .ignored,
          "waypoint \(choice.key) is for traffic to \(gateway.traffic.rawValue) by its label "
            + "\(Key.waypointFor), so not in front of this")
      }
      return nil
    }
    if !gateway.admits(metadata.namespace, labels: scope.objects.labels) {
      say(
        choice, .error, .invalidValue,
        "expected a waypoint that namespace \(metadata.namespace) may use; allow it in "
          + "allowedRoutes.namespaces of the listener of Gateway \(choice.key)")
    }
    return waypoint.address
  }

  /// A waypoint nobody declared stays in the way: to leave it out would let everybody pass.
  private mutating func missing(_ choice: WaypointChoice, _ subject: Subject) -> GatewayAddress? {
    if case .workloads = subject, !choice.isOwn { return nil }
    let hint = hints[choice.key] ?? hint(for: choice.key)
    hints[choice.key] = hint
    say(
      choice, .warning, .unresolved,
      "no Gateway \(choice.key) of class istio-waypoint is declared; connections are refused "
        + "until it is\(hint)")
    return GatewayAddress(
      destination: .service(
        ServiceKey(
          namespace: choice.key.namespace,
          hostname: scope.hostname(choice.key.name, choice.key.namespace))))
  }

  private func hint(for key: PolicyKey) -> String {
    nearest(to: key.description, among: neighbours.knownWaypoints)
      .map { "; did you mean \($0)?" } ?? ""
  }

  /// Says where a waypoint has nothing behind its name.
  private mutating func check(_ waypoint: Waypoint) {
    guard case .service(let key) = waypoint.address.destination else { return }
    let gateway = waypoint.gateway.value
    let port = gateway.tunnelPort
    if let service = services[key] {
      guard !service.ports.contains(where: { $0.servicePort == port }),
        gateway.applicationTunnel == nil
      else { return }
      diagnostics.append(
        gateway.origin.diagnostic(
          .warning, .unresolved, field: "spec.listeners",
          "service \(key) has no port \(port), where the waypoint takes connections"))
    } else {
      diagnostics.append(
        gateway.origin.diagnostic(
          .warning, .unresolved, field: "status.addresses",
          "no address given, and no Service \(gateway.key); what uses this waypoint is refused"))
    }
  }

  private mutating func say(
    _ choice: WaypointChoice, _ severity: Diagnostic.Severity, _ code: Diagnostic.Code,
    _ message: String
  ) {
    let place = "\(choice.origin.object?.description ?? "") \(choice.origin.line)"
    guard said.insert("\(place) \(message)").inserted else { return }
    diagnostics.append(
      choice.origin.diagnostic(
        severity, code, field: "metadata.labels[\(quoted(Key.useWaypoint))]", message))
  }
}
