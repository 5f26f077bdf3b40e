public import MeshModel

/// A network interface.
public struct Link: Hashable, Sendable {
  public var index: Int32
  public var name: String
  /// `veth`, `bridge` and so on; empty for hardware and loopback.
  public var kind: String
  public var isUp: Bool
  public var isLoopback: Bool
  /// False for tunnels, whose frames start with the IP header (ARPHRD_ETHER in linux/if_arp.h).
  public var hasEthernetHeader: Bool
  /// Largest packet, in bytes.
  public var maximumTransmissionUnit: UInt32
  /// For a veth: the other end's index, in its own network namespace.
  public var peerIndex: Int32?

  /// The index of `lo` in every network namespace.
  public static let loopbackIndex: Int32 = 1
}

/// An address of an interface.
public struct InterfaceAddress: Hashable, Sendable {
  public var linkIndex: Int32
  public var address: IPAddress
  public var prefixLength: Int
  public var scope: Scope
  /// IPv6 only: not usable yet, duplicate detection is under way or has failed.
  public var isTentative: Bool

  public enum Scope: UInt8, Sendable {
    case global = 0
    case site = 200
    case link = 253
    case host = 254
    case nowhere = 255
  }

  public init(
    linkIndex: Int32, address: IPAddress, prefixLength: Int, scope: Scope = .global,
    isTentative: Bool = false
  ) {
    self.linkIndex = linkIndex
    self.address = address
    self.prefixLength = prefixLength
    self.scope = scope
    self.isTentative = isTentative
  }
}

extension Link {
  /// Reads `family 8 | pad 8 | type 16 | index 32 | flags 32 | change 32` and its attributes.
  init?(_ message: NetlinkMessage) {
    guard message.payload.count >= 16 else { return nil }
    let fixed = message.payload.span
    let flags = fixed.native32(at: 8)
    let attributes = message.attributes(from: 16)
    index = Int32(bitPattern: fixed.native32(at: 4))
    isUp = flags & 0x1 != 0
    isLoopback = flags & 0x8 != 0
    hasEthernetHeader = UInt16(fixed[2]) | UInt16(fixed[3]) << 8 == 1
    name = attributes[3].map(text) ?? ""
    maximumTransmissionUnit = number(attributes[4]) ?? 0
    let details = attributes[18].map { NetlinkMessage.attributes($0, from: 0) }
    kind = details?[1].map(text) ?? ""
    peerIndex = kind == "veth" ? number(attributes[5]).map(Int32.init(bitPattern:)) : nil
  }
}

extension InterfaceAddress {
  /// Reads `family 8 | prefix 8 | flags 8 | scope 8 | index 32` and its attributes.
  init?(_ message: NetlinkMessage) {
    guard message.payload.count >= 8 else { return nil }
    let fixed = message.payload.span
    let attributes = message.attributes(from: 8)
    // On a point-to-point link the plain attribute is the other end; the local one is ours.
    guard let bytes = attributes[2] ?? attributes[1], let address = IPAddress(bytes: bytes) else {
      return nil
    }
    let flags = number(attributes[8]) ?? UInt32(fixed[2])
    self.init(
      linkIndex: Int32(bitPattern: fixed.native32(at: 4)), address: address,
      prefixLength: Int(fixed[1]), scope: Scope(rawValue: fixed[3]) ?? .global,
      isTentative: flags & 0x40 != 0)
  }
}
