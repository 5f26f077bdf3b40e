import MeshModel

/// Writes one answer within a limit, records whole or not at all.
struct AnswerWriter {
  private(set) var bytes: [UInt8]
  private let limit: Int
  private var answers: UInt16 = 0
  private var additionals: UInt16 = 0
  private(set) var isTruncated = false
  /// Bytes kept free for what must follow the records.
  private let reserved: Int

  private enum Size {
    /// The root as name, and an empty EDNS record.
    static let extensions = 11
    static let recordHead = 10
    static let pointer = 2
  }

  /// Starts with the header and the question as it was asked; reuses the memory of `storage`.
  init(to query: Query, limit: Int, storage: consuming [UInt8]) {
    bytes = storage
    bytes.removeAll(keepingCapacity: true)
    self.limit = limit
    reserved = query.extensions == nil ? 0 : Size.extensions
    number(query.id)
    number(0)
    number(1)
    number(0)
    number(0)
    number(0)
    bytes.append(contentsOf: query.name)
    number(query.type.rawValue)
    number(query.class)
  }

  /// Where a name was written, for pointers to it.
  typealias Pointer = UInt16
  static let askedName: Pointer = UInt16(Limit.headerBytes)

  /// Each adds a record when it still fits; false, and a truncated answer, when it does not.
  mutating func address(_ ip: IPAddress, of owner: Pointer, isAdditional: Bool = false) -> Bool {
    let count = ip.isIPv4 ? 4 : 16
    guard fits(Size.pointer + Size.recordHead + count) else {
      // An address beside an answer may be missing: the client can ask for it.
      if !isAdditional { isTruncated = true }
      return false
    }
    head(owner, ip.isIPv4 ? .ipv4 : .ipv6, count)
    switch ip {
    case .v4(let bits):
      number(UInt16(truncatingIfNeeded: bits >> 16))
      number(UInt16(truncatingIfNeeded: bits))
    case .v6(let high, let low):
      for half in [high, low] {
        for shift in stride(from: 48, through: 0, by: -16) {
          number(UInt16(truncatingIfNeeded: half >> UInt64(shift)))
        }
      }
    }
    if isAdditional { additionals += 1 } else { answers += 1 }
    return true
  }

  /// The canonical name's place, nil when it did not fit.
  mutating func alias(to name: [UInt8]) -> Pointer? {
    guard fits(Size.pointer + Size.recordHead + name.count) else {
      isTruncated = true
      return nil
    }
    head(AnswerWriter.askedName, .alias, name.count)
    let place = Pointer(clamping: bytes.count)
    bytes.append(contentsOf: name)
    answers += 1
    return place
  }

  /// The target's place, nil when it did not fit.
  ///
  /// A target is never compressed. Source: RFC 2782.
  mutating func service(port: UInt16, target: [UInt8], of owner: Pointer) -> Pointer? {
    guard fits(Size.pointer + Size.recordHead + 6 + target.count) else {
      isTruncated = true
      return nil
    }
    head(owner, .service, 6 + target.count)
    number(0)
    // One weight for all: the mesh balances by itself.
    number(1)
    number(port)
    let place = Pointer(clamping: bytes.count)
    bytes.append(contentsOf: target)
    answers += 1
    return place
  }

  /// Completes the header, and answers EDNS with EDNS.
  mutating func finish(_ query: Query, code: ResponseCode, isAuthoritative: Bool) {
    if let extensions = query.extensions {
      bytes.append(0)
      number(RecordType.options.rawValue)
      number(UInt16(clamping: query.payloadBytes))
      number(0)
      number(extensions.wantsSignatures ? 0x8000 : 0)
      number(0)
      additionals += 1
    }
    var flags = Header.Flag.isAnswer | Header.Flag.recursionAvailable | UInt16(code.rawValue)
    flags |= query.flags & (Header.Flag.recursionDesired | Header.Flag.checkingDisabled)
    if isAuthoritative { flags |= Header.Flag.isAuthoritative }
    if isTruncated { flags |= Header.Flag.isTruncated }
    set(flags, at: 2)
    set(answers, at: 6)
    set(additionals, at: 10)
  }

  /// A pointer reaches the first 16 383 bytes only.
  static func canPoint(to place: Pointer) -> Bool { place < 0x4000 }

  private func fits(_ count: Int) -> Bool { bytes.count + count + reserved <= limit }

  private mutating func head(_ owner: Pointer, _ type: RecordType, _ count: Int) {
    number(0xc000 | owner)
    number(type.rawValue)
    number(Query.internet)
    number(UInt16(truncatingIfNeeded: Limit.timeToLive >> 16))
    number(UInt16(truncatingIfNeeded: Limit.timeToLive))
    number(UInt16(count))
  }

  private mutating func number(_ value: UInt16) {
    bytes.append(UInt8(truncatingIfNeeded: value >> 8))
    bytes.append(UInt8(truncatingIfNeeded: value))
  }

  private mutating func set(_ value: UInt16, at offset: Int) {
    bytes[offset] = UInt8(truncatingIfNeeded: value >> 8)
    bytes[offset + 1] = UInt8(truncatingIfNeeded: value)
  }
}

extension Query {
  /// Writes the answer over `message`, at most `limit` bytes long.
  ///
  /// What does not fit is left out and the client told so (TC), so that it asks again over TCP.
  public func write(_ answer: Answer, limit: Int, into message: inout [UInt8]) {
    var storage: [UInt8] = []
    swap(&storage, &message)
    var writer = AnswerWriter(to: self, limit: limit, storage: storage)
    var owner = AnswerWriter.askedName
    if let labels = answer.canonicalLabels {
      owner = writer.alias(to: firstLabels(labels)) ?? owner
    }
    if !writer.isTruncated {
      for address in answer.addresses where !writer.address(address, of: owner) { break }
      write(answer.services, to: &writer, owner)
    }
    writer.finish(self, code: .noError, isAuthoritative: true)
    message = writer.bytes
  }

  /// Writes an answer that only says what went wrong.
  public func write(_ failure: ResponseCode, into message: inout [UInt8]) {
    var writer = AnswerWriter(to: self, limit: Limit.messageBytes, storage: [])
    writer.finish(self, code: failure, isAuthoritative: false)
    message = writer.bytes
  }

  private func write(
    _ services: [Answer.ServiceRecord], to writer: inout AnswerWriter, _ owner: UInt16
  ) {
    var places: [(place: UInt16, addresses: [IPAddress])] = []
    for service in services {
      guard let target = WireName.encode(service.target) else { continue }
      guard let place = writer.service(port: service.port, target: target, of: owner) else {
        return
      }
      places.append((place, service.addresses))
    }
    for (place, addresses) in places where AnswerWriter.canPoint(to: place) {
      for address in addresses where !writer.address(address, of: place, isAdditional: true) {
        return
      }
    }
  }

  /// The asked name cut after some labels, in the client's own case.
  private func firstLabels(_ count: Int) -> [UInt8] {
    var end = 0
    for _ in 0..<count where name[end] != 0 { end += 1 + Int(name[end]) }
    return Array(name[..<end]) + [0]
  }
}
