/// What the plugin asks of the agent.
public struct CNIRequest: Hashable, Sendable {
  public enum Kind: UInt8, Hashable, Sendable, CaseIterable {
    /// Enrol the pod, or say that it is none of ours.
    case add = 1
    /// Say what is the case.
    case check = 2
    /// The pod's attachment goes away; nobody waits for the deed.
    case delete = 3
    case status = 4
  }

  public var kind: Kind
  public var containerID: String
  /// Empty when there is none.
  public var namespacePath: String
  public var interface: String
  public var pod: Pod
  public var addresses: [String]

  public init(
    kind: Kind, containerID: String, namespacePath: String, interface: String, pod: Pod,
    addresses: [String]
  ) {
    self.kind = kind
    self.containerID = containerID
    self.namespacePath = namespacePath
    self.interface = interface
    self.pod = pod
    self.addresses = addresses
  }

  public init(_ kind: Kind, _ call: Call) {
    self.init(
      kind: kind, containerID: call.containerID, namespacePath: call.namespacePath ?? "",
      interface: call.interface, pod: call.pod ?? Pod(namespace: "", name: "", uid: ""),
      addresses: call.configuration.addresses)
  }
}

/// What the agent answers.
public enum CNIAnswer: Hashable, Sendable {
  /// The pod is in the mesh; to DEL and STATUS, that the agent has heard.
  case enrolled
  case notOurs
  case refused(reason: String)
  case notYet(reason: String)
}

/// Why a payload is no message.
public enum MessageProblem: Error, Hashable, CustomStringConvertible {
  case truncated
  case format(UInt8)
  case tag(UInt8)
  case tooLong
  case notText
  case trailingBytes(Int)

  public var description: String {
    switch self {
    case .truncated: "the message ends inside a value"
    case .format(let format):
      "message format \(format), expected 1: node-agent and skein-cni are of different builds"
    case .tag(let tag): "no case has number \(tag)"
    case .tooLong: "a text or list beyond its limit"
    case .notText: "a text that is not UTF-8"
    case .trailingBytes(let count): "\(count) bytes follow the message"
    }
  }
}

// MARK: On the wire
//
//     format 1 | case 1 | texts in order
//
// A text is its count of bytes as u16, big-endian, and UTF-8; a list is its count as u8 and its texts.

extension CNIRequest {
  /// The payload of one frame.
  public func encoded() -> [UInt8] {
    var writer = MessageWriter(tag: kind.rawValue)
    for text in [containerID, namespacePath, interface, pod.namespace, pod.name, pod.uid] {
      writer.text(text)
    }
    let addresses = addresses.prefix(Limit.addresses)
    writer.bytes.append(UInt8(addresses.count))
    for address in addresses { writer.text(address) }
    return writer.bytes
  }

  public init(decoding payload: [UInt8]) throws(MessageProblem) {
    var reader = MessageReader(bytes: payload)
    let tag = try reader.tag()
    guard let kind = Kind(rawValue: tag) else { throw .tag(tag) }
    self.kind = kind
    containerID = try reader.text()
    namespacePath = try reader.text()
    interface = try reader.text()
    let namespace = try reader.text()
    let name = try reader.text()
    pod = Pod(namespace: namespace, name: name, uid: try reader.text())
    let count = Int(try reader.byte())
    guard count <= Limit.addresses else { throw .tooLong }
    addresses = []
    for _ in 0..<count { addresses.append(try reader.text()) }
    try reader.finish()
  }
}

extension CNIAnswer {
  /// The payload of one frame.
  public func encoded() -> [UInt8] {
    switch self {
    case .enrolled: return MessageWriter(tag: 1).bytes
    case .notOurs: return MessageWriter(tag: 2).bytes
    case .refused(let reason): return CNIAnswer.encoded(3, reason)
    case .notYet(let reason): return CNIAnswer.encoded(4, reason)
    }
  }

  public init(decoding payload: [UInt8]) throws(MessageProblem) {
    var reader = MessageReader(bytes: payload)
    switch try reader.tag() {
    case 1: self = .enrolled
    case 2: self = .notOurs
    case 3: self = .refused(reason: try reader.text())
    case 4: self = .notYet(reason: try reader.text())
    case let tag: throw .tag(tag)
    }
    try reader.finish()
  }

  private static func encoded(_ tag: UInt8, _ reason: String) -> [UInt8] {
    var writer = MessageWriter(tag: tag)
    writer.text(reason)
    return writer.bytes
  }
}

private struct MessageWriter {
  var bytes: [UInt8]

  init(tag: UInt8) { bytes = [1, tag] }

  mutating func text(_ value: String) {
    let utf8 = MessageWriter.fitting(value).utf8
    bytes += [UInt8(utf8.count >> 8), UInt8(utf8.count & 0xff)]
    bytes += utf8
  }

  /// As much of the text as its limit leaves, cut between two characters.
  private static func fitting(_ value: String) -> Substring {
    let utf8 = value.utf8
    guard utf8.count > Limit.textBytes else { return value[...] }
    var end = utf8.index(utf8.startIndex, offsetBy: Limit.textBytes)
    while end.samePosition(in: value.unicodeScalars) == nil { end = utf8.index(before: end) }
    return value[..<end]
  }
}

private struct MessageReader {
  let bytes: [UInt8]
  private var position = 0

  init(bytes: [UInt8]) { self.bytes = bytes }

  mutating func tag() throws(MessageProblem) -> UInt8 {
    let format = try byte()
    guard format == 1 else { throw .format(format) }
    return try byte()
  }

  mutating func byte() throws(MessageProblem) -> UInt8 {
    guard position < bytes.count else { throw .truncated }
    defer { position += 1 }
    return bytes[position]
  }

  mutating func text() throws(MessageProblem) -> String {
    let count = Int(try byte()) << 8 | Int(try byte())
    guard count <= Limit.textBytes else { throw .tooLong }
    guard count <= bytes.count - position else { throw .truncated }
    defer { position += count }
    guard let text = String(validating: bytes[position..<(position + count)], as: UTF8.self)
    else { throw .notText }
    return text
  }

  func finish() throws(MessageProblem) {
    guard position == bytes.count else { throw .trailingBytes(bytes.count - position) }
  }
}
