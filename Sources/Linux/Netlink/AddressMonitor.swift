import CLinux
import Glibc

/// What changed in a network namespace.
public enum LinkEvent: Hashable, Sendable {
  /// New, or with new flags.
  case addressChanged(InterfaceAddress)
  case addressRemoved(InterfaceAddress)
  /// New, renamed, up or down.
  case linkChanged(Link)
  case linkRemoved(Link)
}

/// Tells of every address and link that comes and goes in one network namespace.
///
/// Make the monitor first, list with `Netlink` after: what changes in between is then seen twice, not
/// missed. Watch `number` for `.readable`.
public struct AddressMonitor: ~Copyable, Sendable {
  public enum Limit {
    /// Datagrams taken by one call; the descriptor stays readable when there are more.
    public static let datagramsPerRead = 256
  }

  private let socket: NetlinkSocket

  /// Of the calling thread's network namespace.
  public init() throws(LinuxError) {
    socket = try NetlinkSocket(groups: groups, isBlocking: false)
  }

  public init(in namespace: borrowing NetworkNamespace) throws(LinuxError) {
    socket = try namespace.run { () throws(LinuxError) in
      try NetlinkSocket(groups: groups, isBlocking: false)
    }
  }

  public var number: CInt { socket.descriptor.number }

  public enum Outcome: Hashable, Sendable {
    /// In order; empty when nothing changed.
    case events([LinkEvent])
    /// The kernel dropped some: list everything again.
    case overrun
  }

  public borrowing func read() throws(LinuxError) -> Outcome {
    var events: [LinkEvent] = []
    for _ in 0..<Limit.datagramsPerRead {
      do throws(LinuxError) {
        guard let messages = try socket.receiveIfAny("address monitor") else { break }
        events += messages.compactMap { LinkEvent($0) }
      } catch {
        if error.errno == ENOBUFS { return .overrun }
        throw error
      }
    }
    return .events(events)
  }
}

extension LinkEvent {
  init?(_ message: NetlinkMessage) {
    switch message.type {
    case RouteNetlink.newAddress:
      guard let address = InterfaceAddress(message) else { return nil }
      self = .addressChanged(address)
    case RouteNetlink.deleteAddress:
      guard let address = InterfaceAddress(message) else { return nil }
      self = .addressRemoved(address)
    case RouteNetlink.newLink:
      guard let link = Link(message) else { return nil }
      self = .linkChanged(link)
    case RouteNetlink.deleteLink:
      guard let link = Link(message) else { return nil }
      self = .linkRemoved(link)
    default:
      return nil
    }
  }
}

private let groups = CLINUX_RTMGRP_LINK | CLINUX_RTMGRP_IPV4_IFADDR | CLINUX_RTMGRP_IPV6_IFADDR
