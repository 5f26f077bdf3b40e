public import MeshModel

/// A question of our own: which addresses of one family a host name has.
public struct HostQuestion: Hashable, Sendable {
  public let type: RecordType
  /// What is sent.
  public let message: [UInt8]
  private let query: UpstreamQuery

  public enum Reply: Hashable, Sendable {
    /// At most `Limit.resolvedAddresses`, and the seconds they may be kept.
    case addresses([IPAddress], timeToLive: UInt32)
    /// The name has none of this family, or does not exist.
    case none
    /// The resolver could not answer, or not in one datagram.
    case failed(responseCode: UInt8)
    /// No answer to this question.
    case unrelated
  }

  /// Nil for a name that no message can hold, or another type than an address.
  public init?(host: String, type: RecordType, id: UInt16) {
    guard type == .ipv4 || type == .ipv6, let name = WireName.encode(host) else { return nil }
    var message: [UInt8] = []
    for number in [id, Header.Flag.recursionDesired, 1, 0, 0, 0] {
      message.append(bigEndian: number)
    }
    message += name
    message.append(bigEndian: type.rawValue)
    message.append(bigEndian: Query.internet)
    guard let query = UpstreamQuery(message.span, id: id) else { return nil }
    self.message = message
    self.type = type
    self.query = query
  }

  /// What a message from the resolver says.
  ///
  /// Aliases are the resolver's to follow: every address in the answer counts, whoever's it is.
  public func reply(in message: Span<UInt8>) -> Reply {
    guard query.isAnswered(by: message), let header = Header(message) else { return .unrelated }
    // 3: the name does not exist.
    guard header.responseCode == 0 || header.responseCode == 3 else {
      return .failed(responseCode: header.responseCode)
    }
    var addresses: [IPAddress] = []
    var timeToLive = UInt32.max
    do throws(MessageError) {
      var cursor = MessageCursor(message, at: Limit.headerBytes)
      if header.questions > 0 {
        _ = try cursor.plainName()
        _ = try cursor.number()
        _ = try cursor.number()
      }
      for _ in 0..<min(Int(header.answers), Limit.resolvedRecords) {
        let record = try cursor.record()
        guard record.class == Query.internet else { continue }
        timeToLive = min(timeToLive, record.timeToLive)
        guard record.type == type, let ip = address(message, record.data) else { continue }
        if addresses.count < Limit.resolvedAddresses { addresses.append(ip) }
      }
    } catch {
      // What was read before the end is good; nothing at all is a failure.
      if addresses.isEmpty { return .failed(responseCode: header.responseCode) }
    }
    if !addresses.isEmpty { return .addresses(addresses, timeToLive: timeToLive) }
    return header.isTruncated ? .failed(responseCode: header.responseCode) : .none
  }

  private func address(_ message: Span<UInt8>, _ range: Range<Int>) -> IPAddress? {
    guard range.count == (type == .ipv4 ? 4 : 16) else { return nil }
    return IPAddress(bytes: range.map { message[$0] })
  }
}
