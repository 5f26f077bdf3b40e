import Glibc
import MeshModel

/// Links, addresses, rules and routes of one network namespace: the one the calling thread was in
/// when the value was made, whatever thread uses it later.
public struct Netlink: ~Copyable, Sendable {
  private let socket: NetlinkSocket

  public init() throws(LinuxError) {
    socket = try NetlinkSocket(isBlocking: true)
  }

  public init(in namespace: borrowing NetworkNamespace) throws(LinuxError) {
    socket = try namespace.run { () throws(LinuxError) in try NetlinkSocket(isBlocking: true) }
  }

  public enum Outcome: Hashable, Sendable {
    case done
    /// Nothing to add: it is already there.
    case alreadyThere
    /// Nothing to remove: it is not there.
    case absent
    /// This kernel or namespace has no IPv6.
    case unsupported
  }

  public borrowing func links() throws(LinuxError) -> [Link] {
    var request = NetlinkRequest(type: RouteNetlink.getLink, flags: dumpFlags)
    for _ in 0..<4 { request.append(UInt32(0)) }
    return try socket.dump(request, "links").compactMap { Link($0) }
  }

  public borrowing func link(named name: String) throws(LinuxError) -> Link? {
    try links().first { $0.name == name }
  }

  /// Addresses of both families, of every link.
  public borrowing func addresses() throws(LinuxError) -> [InterfaceAddress] {
    var request = NetlinkRequest(type: RouteNetlink.getAddress, flags: dumpFlags)
    for _ in 0..<2 { request.append(UInt32(0)) }
    return try socket.dump(request, "addresses").compactMap { InterfaceAddress($0) }
  }

  /// Brings a link up, which a fresh namespace's `lo` is not.
  public borrowing func setUp(linkIndex: Int32) throws(LinuxError) {
    var request = NetlinkRequest(type: RouteNetlink.newLink, flags: changeFlags)
    request.append(UInt32(0))
    request.append(UInt32(bitPattern: linkIndex))
    request.append(UInt32(1))
    request.append(UInt32(1))
    try socket.perform(request, "link \(linkIndex) up")
  }

  /// Adds an address; an IPv6 one is usable at once, without duplicate detection.
  public borrowing func add(_ address: InterfaceAddress) throws(LinuxError) -> Outcome {
    let flags = changeFlags | RouteNetlink.create | RouteNetlink.exclusive
    return try attempt(
      address.request(type: RouteNetlink.newAddress, flags: flags), "address \(address.address)")
  }

  public borrowing func remove(_ address: InterfaceAddress) throws(LinuxError) -> Outcome {
    try attempt(
      address.request(type: RouteNetlink.deleteAddress, flags: changeFlags),
      "address \(address.address)")
  }

  /// Rules that choose a table by mark.
  public borrowing func rules(_ family: AddressFamily) throws(LinuxError) -> [RoutingRule] {
    var request = NetlinkRequest(type: RouteNetlink.getRule, flags: dumpFlags)
    for byte in [family.rawValue] + [UInt8](repeating: 0, count: 11) { request.append(byte) }
    return try dumpIfSupported(request, "rules").compactMap { RoutingRule($0) }
      .filter { $0.family == family }
  }

  public borrowing func add(_ rule: RoutingRule) throws(LinuxError) -> Outcome {
    let flags = changeFlags | RouteNetlink.create | RouteNetlink.exclusive
    return try attempt(rule.request(type: RouteNetlink.newRule, flags: flags), "\(rule)")
  }

  public borrowing func remove(_ rule: RoutingRule) throws(LinuxError) -> Outcome {
    try attempt(rule.request(type: RouteNetlink.deleteRule, flags: changeFlags), "\(rule)")
  }

  /// Local default routes through lo, of every table.
  public borrowing func localRoutes(_ family: AddressFamily) throws(LinuxError) -> [LocalRoute] {
    var request = NetlinkRequest(type: RouteNetlink.getRoute, flags: dumpFlags)
    for byte in [family.rawValue] + [UInt8](repeating: 0, count: 11) { request.append(byte) }
    return try dumpIfSupported(request, "routes").compactMap { LocalRoute($0) }
      .filter { $0.family == family }
  }

  /// Adds the route, in place of one of the same table with another source.
  public borrowing func add(_ route: LocalRoute) throws(LinuxError) -> Outcome {
    if try localRoutes(route.family).contains(route) { return .alreadyThere }
    let flags = changeFlags | RouteNetlink.create | RouteNetlink.replace
    return try attempt(route.request(type: RouteNetlink.newRoute, flags: flags), "\(route)")
  }

  /// Removes the table's route, whatever its source.
  public borrowing func remove(_ route: LocalRoute) throws(LinuxError) -> Outcome {
    var any = route
    any.preferredSource = nil
    return try attempt(
      any.request(type: RouteNetlink.deleteRoute, flags: changeFlags), "\(route)")
  }

  private borrowing func attempt(
    _ request: NetlinkRequest, _ subject: String
  ) throws(LinuxError) -> Outcome {
    do throws(LinuxError) {
      try socket.perform(request, subject)
      return .done
    } catch {
      switch error.errno {
      case EEXIST: return .alreadyThere
      // Links, addresses, rules and routes each have their own word for absent.
      case ENOENT, ESRCH, EADDRNOTAVAIL: return .absent
      case EAFNOSUPPORT, EOPNOTSUPP: return .unsupported
      // disable_ipv6 is set on the link; a missing capability is EPERM.
      case EACCES where request.payload.first == AddressFamily.v6.rawValue: return .unsupported
      default: throw error
      }
    }
  }

  /// Empty where the family does not exist.
  private borrowing func dumpIfSupported(
    _ request: NetlinkRequest, _ subject: String
  ) throws(LinuxError) -> [NetlinkMessage] {
    do throws(LinuxError) {
      return try socket.dump(request, subject)
    } catch {
      if error.errno == EAFNOSUPPORT || error.errno == EOPNOTSUPP { return [] }
      throw error
    }
  }
}

private let dumpFlags = RouteNetlink.request | RouteNetlink.dump
private let changeFlags = RouteNetlink.request | RouteNetlink.acknowledge

extension InterfaceAddress {
  // IFA_F_NODAD in linux/if_addr.h
  private static let noDuplicateDetection: UInt8 = 0x2

  func request(type: UInt16, flags: UInt16) -> NetlinkRequest {
    var request = NetlinkRequest(type: type, flags: flags)
    let family = AddressFamily(of: address)
    request.append(family.rawValue)
    request.append(UInt8(prefixLength))
    request.append(family == .v6 ? InterfaceAddress.noDuplicateDetection : 0)
    request.append(scope.rawValue)
    request.append(UInt32(bitPattern: linkIndex))
    request.append(attribute: 2, address.bytes)
    request.append(attribute: 1, address.bytes)
    return request
  }
}
