public import MeshModel

public enum AddressFamily: UInt8, CaseIterable, Hashable, Sendable {
  /// AF_INET
  case v4 = 2
  /// AF_INET6
  case v6 = 10

  public init(of address: IPAddress) {
    self = address.isIPv4 ? .v4 : .v6
  }
}

/// Packets with this mark are routed by this table.
public struct RoutingRule: Hashable, Sendable {
  public var family: AddressFamily
  public var mark: UInt32
  public var mask: UInt32
  /// Smaller is asked first.
  public var priority: UInt32
  public var table: UInt32

  public init(
    family: AddressFamily, mark: UInt32, mask: UInt32, priority: UInt32, table: UInt32
  ) {
    self.family = family
    self.mark = mark
    self.mask = mask
    self.priority = priority
    self.table = table
  }
}

extension RoutingRule: CustomStringConvertible {
  public var description: String {
    "rule \(family) priority \(priority) fwmark 0x\(String(mark, radix: 16))"
      + "/0x\(String(mask, radix: 16)) table \(table)"
  }
}

/// A table's answer to every address: it is local, deliver it through `lo`.
public struct LocalRoute: Hashable, Sendable {
  public var family: AddressFamily
  public var table: UInt32
  /// The source of packets that have none yet.
  public var preferredSource: IPAddress?

  public init(family: AddressFamily, table: UInt32, preferredSource: IPAddress? = nil) {
    precondition(
      preferredSource.map(AddressFamily.init(of:)) ?? family == family,
      "source \(preferredSource.debugDescription) of a \(family) route")
    self.family = family
    self.table = table
    self.preferredSource = preferredSource
  }
}

extension LocalRoute: CustomStringConvertible {
  public var description: String {
    let source = preferredSource.map { " src \($0)" } ?? ""
    return "route \(family) local default dev lo table \(table)\(source)"
  }
}

extension RoutingRule {
  /// Writes `family | dst | src | tos | table | res | res | action`, 8 bits each, `flags 32`.
  func request(type: UInt16, flags: UInt16) -> NetlinkRequest {
    var request = NetlinkRequest(type: type, flags: flags)
    for byte: UInt8 in [family.rawValue, 0, 0, 0, 0, 0, 0, 1] { request.append(byte) }
    request.append(UInt32(0))
    request.append(attribute: 6, priority)
    request.append(attribute: 10, mark)
    request.append(attribute: 16, mask)
    request.append(attribute: 15, table)
    return request
  }

  /// Nil for rules that do not choose a table by mark.
  init?(_ message: NetlinkMessage) {
    guard message.payload.count >= 12, message.payload[7] == 1,
      let family = AddressFamily(rawValue: message.payload[0])
    else { return nil }
    let attributes = message.attributes(from: 12)
    guard let mark = number(attributes[10]) else { return nil }
    self.init(
      family: family, mark: mark, mask: number(attributes[16]) ?? .max,
      priority: number(attributes[6]) ?? 0,
      table: number(attributes[15]) ?? UInt32(message.payload[4]))
  }
}

extension LocalRoute {
  private static let localType: UInt8 = 2
  private static let hostScope: UInt8 = 254
  /// RTPROT_STATIC: an administrator's route, which no routing daemon touches.
  private static let staticProtocol: UInt8 = 4

  /// Writes `family | dst | src | tos | table | protocol | scope | type`, 8 bits each, `flags 32`.
  func request(type: UInt16, flags: UInt16) -> NetlinkRequest {
    var request = NetlinkRequest(type: type, flags: flags)
    let fixed: [UInt8] = [
      family.rawValue, 0, 0, 0, 0, LocalRoute.staticProtocol, LocalRoute.hostScope,
      LocalRoute.localType,
    ]
    for byte in fixed { request.append(byte) }
    request.append(UInt32(0))
    request.append(attribute: 15, table)
    request.append(attribute: 4, UInt32(bitPattern: Link.loopbackIndex))
    if let preferredSource { request.append(attribute: 7, preferredSource.bytes) }
    return request
  }

  /// Nil for every other kind of route.
  init?(_ message: NetlinkMessage) {
    let payload = message.payload
    guard payload.count >= 12, payload[1] == 0, payload[7] == LocalRoute.localType,
      let family = AddressFamily(rawValue: payload[0])
    else { return nil }
    let attributes = message.attributes(from: 12)
    guard number(attributes[4]) == UInt32(bitPattern: Link.loopbackIndex) else { return nil }
    self.init(
      family: family, table: number(attributes[15]) ?? UInt32(payload[4]),
      preferredSource: attributes[7].flatMap { IPAddress(bytes: $0) })
  }
}
