/// Why a payload is not a message.
///
/// Offsets count bytes from the payload's start.
public enum DecodingError: Error, Equatable {
  /// The payload ends inside a value.
  case truncated(offset: Int)
  case unknownFormat(UInt8)
  /// No case, or no enumeration member, has this number.
  case unknownTag(UInt64, of: Kind, offset: Int)
  case tooLong(UInt64, limit: Int, offset: Int)
  /// More than 64 bits of integer.
  case overflow(offset: Int)
  case notText(offset: Int)
  /// A value its type does not have: a prefix longer than the address, a range turned round.
  case invalid(Kind, offset: Int)
  case trailingBytes(Int)

  /// What was being read.
  public enum Kind: String, Sendable {
    case agentMessage, tunnelMessage, inspection, section, direction, transport, responseFlag
    case cause, denial, address, cidr, portRange, port, duration, time, optional, boolean
    case tunnelProtocol, health, healthPolicy, scope, action, stringMatch, workloadKind
    case applicationTunnel, gateway, loadBalancing, preference, addressFamilies, visibility
    case revocations
    case waypointOwner
  }
}

extension DecodingError: CustomStringConvertible {
  public var description: String {
    switch self {
    case .truncated(let offset): "the message ends inside a value at byte \(offset)"
    case .unknownFormat(let format):
      "message format \(format), expected \(Writer.format): the two sides' versions differ"
    case .unknownTag(let tag, let kind, let offset):
      "no \(kind.rawValue) has number \(tag) (byte \(offset)): the two sides' versions differ"
    case .tooLong(let count, let limit, let offset):
      "\(count) elements or bytes at byte \(offset), at most \(limit)"
    case .overflow(let offset): "an integer of more than 64 bits at byte \(offset)"
    case .notText(let offset): "text at byte \(offset) is not UTF-8"
    case .invalid(let kind, let offset): "not a \(kind.rawValue) at byte \(offset)"
    case .trailingBytes(let count): "\(count) bytes follow the message"
    }
  }
}
