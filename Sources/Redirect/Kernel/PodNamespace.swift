import Glibc
import Linux
import MeshModel

/// The pod's network namespace, which the calling thread is in.
///
/// Confined to that thread.
final class PodNamespace {
  private let netlink: Netlink

  init() throws(RedirectError) {
    do throws(LinuxError) {
      netlink = try Netlink()
    } catch {
      throw .namespace(step: "open netlink", error)
    }
  }

  /// Links, addresses and families as they are now.
  func desired(for pod: [IPAddress]) throws(RedirectError) -> DesiredRedirection {
    let addresses = try addresses()
    let hasIPv6 = try step("look for IPv6") { () throws(LinuxError) in try Sysctl.hasIPv6() }
    func source(isIPv4: Bool) -> IPAddress? {
      let own = pod.first { address in
        address.isIPv4 == isIPv4 && addresses.contains { $0.address == address }
      }
      return own ?? addresses.first { $0.address.isIPv4 == isIPv4 && $0.scope == .global }?.address
    }
    return DesiredRedirection(
      addresses: Set(addresses.map(\.address)),
      interfaces: Set(
        try links().map {
          PodInterface(
            index: UInt32(bitPattern: $0.index), hasEthernetHeader: $0.hasEthernetHeader)
        }),
      routeSource4: source(isIPv4: true), routeSource6: source(isIPv4: false), hasIPv6: hasIPv6)
  }

  /// All links but loopback ones.
  func links() throws(RedirectError) -> [Link] {
    try step("list interfaces") { () throws(LinuxError) in
      try netlink.links().filter { !$0.isLoopback }
    }
  }

  /// All addresses but loopback ones.
  func addresses() throws(RedirectError) -> [InterfaceAddress] {
    try step("list addresses") { () throws(LinuxError) in
      try netlink.addresses().filter { !$0.address.isLoopback }
    }
  }

  func addRule(_ family: IPFamily) throws(RedirectError) {
    let rule = RoutingRule(family)
    let outcome = try step("add \(rule)") { () throws(LinuxError) in try netlink.add(rule) }
    try requireSupport(outcome, "add \(rule)")
  }

  func addRoute(_ family: IPFamily, source: IPAddress?) throws(RedirectError) {
    let route = LocalRoute(family, source: source)
    let outcome = try step("add \(route)") { () throws(LinuxError) in try netlink.add(route) }
    try requireSupport(outcome, "add \(route)")
  }

  /// Nothing happens when it is not there.
  func removeRule(_ family: IPFamily) throws(RedirectError) {
    let rule = RoutingRule(family)
    _ = try step("remove \(rule)") { () throws(LinuxError) in try netlink.remove(rule) }
  }

  func removeRoute(_ family: IPFamily) throws(RedirectError) {
    let route = LocalRoute(family, source: nil)
    _ = try step("remove \(route)") { () throws(LinuxError) in try netlink.remove(route) }
  }

  func value(of sysctl: RedirectionSysctl) throws(RedirectError) -> Int32? {
    try step("read \(sysctl.name)") { () throws(LinuxError) in
      try Sysctl.read(sysctl.name).flatMap { Int32($0) }
    }
  }

  func set(_ sysctl: RedirectionSysctl, to value: Int32) throws(RedirectError) {
    try step("set \(sysctl.name)") { () throws(LinuxError) in
      _ = try Sysctl.write(sysctl.name, String(value))
    }
  }

  /// Rules, routes and sysctls that are not as an enrolled pod's must be, each in words.
  func missingSettings(_ families: [IPFamily]) throws(RedirectError) -> [String] {
    var missing: [String] = []
    for family in families {
      let rule = RoutingRule(family)
      let rules = try step("list rules") { () throws(LinuxError) in
        try netlink.rules(rule.family)
      }
      if !rules.contains(rule) { missing.append("\(rule) is missing") }
      let route = LocalRoute(family, source: nil)
      let routes = try step("list routes") { () throws(LinuxError) in
        try netlink.localRoutes(route.family)
      }
      if !routes.contains(where: { $0.table == route.table }) {
        missing.append("\(route) is missing")
      }
    }
    for sysctl in RedirectionSysctl.ofCapture where families.contains(sysctl.family) {
      let value = try value(of: sysctl)
      if value != 1 {
        missing.append("\(sysctl.name) is \(value.map(String.init) ?? "absent"), not 1")
      }
    }
    return missing
  }

  private func requireSupport(
    _ outcome: Netlink.Outcome, _ step: String
  ) throws(RedirectError) {
    switch outcome {
    case .done, .alreadyThere: return
    case .absent: throw .namespace(step: step, LinuxError(call: "netlink", errno: ENOENT))
    case .unsupported:
      throw .namespace(step: step, LinuxError(call: "netlink", errno: EAFNOSUPPORT))
    }
  }

  private func step<Result>(
    _ name: @autoclosure () -> String, _ body: () throws(LinuxError) -> Result
  ) throws(RedirectError) -> Result {
    do throws(LinuxError) {
      return try body()
    } catch {
      throw .namespace(step: name(), error)
    }
  }
}

extension AddressFamily {
  fileprivate init(_ family: IPFamily) {
    self =
      switch family {
      case .v4: .v4
      case .v6: .v6
      }
  }
}

extension RoutingRule {
  fileprivate init(_ family: IPFamily) {
    self.init(
      family: AddressFamily(family), mark: RedirectConstants.mark,
      mask: RedirectConstants.markMask, priority: RedirectConstants.rulePriority,
      table: RedirectConstants.routeTable)
  }
}

extension LocalRoute {
  fileprivate init(_ family: IPFamily, source: IPAddress?) {
    self.init(
      family: AddressFamily(family), table: RedirectConstants.routeTable, preferredSource: source)
  }
}
