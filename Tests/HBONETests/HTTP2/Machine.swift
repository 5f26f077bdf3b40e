import MeshModel

@testable import HBONE

/// A frame as a test writes and reads it.
struct Frame: Equatable, CustomStringConvertible {
  var type: FrameType
  var flags: FrameFlags = []
  var stream: UInt32 = 0
  var payload: [UInt8] = []

  var bytes: [UInt8] {
    let header = FrameHeader(
      length: payload.count, type: type, flags: flags, stream: StreamID(stream)
    ).bytes
    return header.indices.map { header[$0] } + payload
  }

  var description: String {
    "frame \(type.rawValue) flags \(flags.rawValue) stream \(stream) \(payload.prefix(40).map(\.self).hex)"
  }

  static func settings(_ entries: [(id: UInt16, value: UInt32)] = []) -> Frame {
    Frame(
      type: .settings,
      payload: entries.flatMap { [UInt8($0.id >> 8), UInt8($0.id & 0xff)] + bigEndian($0.value) })
  }

  static let settingsAcknowledgement = Frame(type: .settings, flags: .acknowledge)

  static func ping(_ payload: UInt64, flags: FrameFlags = []) -> Frame {
    Frame(
      type: .ping, flags: flags,
      payload: bigEndian(UInt32(payload >> 32)) + bigEndian(UInt32(truncatingIfNeeded: payload)))
  }

  static func windowUpdate(_ stream: UInt32, _ increment: UInt32) -> Frame {
    Frame(type: .windowUpdate, stream: stream, payload: bigEndian(increment))
  }

  static func reset(_ stream: UInt32, _ code: ErrorCode) -> Frame {
    Frame(type: .resetStream, stream: stream, payload: bigEndian(code.rawValue))
  }

  static func goAway(_ last: UInt32, _ code: ErrorCode, debug: String = "") -> Frame {
    Frame(type: .goAway, payload: bigEndian(last) + bigEndian(code.rawValue) + Array(debug.utf8))
  }

  static func data(_ stream: UInt32, _ count: Int, flags: FrameFlags = []) -> Frame {
    Frame(
      type: .data, flags: flags, stream: stream, payload: [UInt8](repeating: 0x64, count: count))
  }

  /// HEADERS of literals, so that no table is involved.
  static func headers(
    _ stream: UInt32, _ fields: [(String, String)], flags: FrameFlags = .endHeaders
  ) -> Frame {
    Frame(type: .headers, flags: flags, stream: stream, payload: literals(fields))
  }

  static func connect(_ stream: UInt32, flags: FrameFlags = .endHeaders) -> Frame {
    headers(stream, [(":method", "CONNECT"), (":authority", "10.0.0.7:80")], flags: flags)
  }

  static func literals(_ fields: [(String, String)]) -> [UInt8] {
    fields.flatMap { name, value in
      var block: [UInt8] = [0]
      CompressedInteger.encode(name.utf8.count, prefixBits: 7, pattern: 0, into: &block)
      block += name.utf8
      CompressedInteger.encode(value.utf8.count, prefixBits: 7, pattern: 0, into: &block)
      return block + value.utf8
    }
  }

  static func bigEndian(_ value: UInt32) -> [UInt8] {
    (0..<4).map { UInt8(truncatingIfNeeded: value >> (24 - 8 * $0)) }
  }

  /// Every whole frame in `bytes`.
  static func all(in bytes: [UInt8]) -> [Frame] {
    var frames: [Frame] = []
    var offset = 0
    while let header = FrameHeader(from: bytes.span, at: offset) {
      let start = offset + FrameHeader.size
      frames.append(
        Frame(
          type: header.type, flags: header.flags, stream: header.stream.rawValue,
          payload: Array(bytes[start..<start + header.length])))
      offset = start + header.length
    }
    return frames
  }
}

/// One machine under test, with the bytes it has not taken yet.
final class Machine {
  var connection: HTTP2Connection
  var now: Instant
  private var pending: [UInt8] = []

  init(_ role: Role, settings: LocalSettings = .default, at now: Instant = Instant(nanoseconds: 0))
  {
    connection = HTTP2Connection(role: role, settings: settings, at: now)
    self.now = now
  }

  /// A machine whose peer has said the preface and `entries`, and acknowledged ours.
  static func greeted(
    _ role: Role, settings: LocalSettings = .default,
    peer entries: [(id: UInt16, value: UInt32)] = []
  ) throws -> Machine {
    let machine = Machine(role, settings: settings)
    if role == .server { _ = try machine.feed(Array("\(ControlOutput.preface)".utf8)) }
    _ = try machine.feed([Frame.settings(entries), .settingsAcknowledgement])
    _ = machine.output()
    return machine
  }

  func feed(_ frames: [Frame]) throws(ConnectionError) -> [Event] {
    try feed(frames.flatMap(\.bytes))
  }

  func feed(_ frames: Frame...) throws(ConnectionError) -> [Event] {
    try feed(frames.flatMap(\.bytes))
  }

  func feed(_ bytes: [UInt8]) throws(ConnectionError) -> [Event] {
    let input = pending + bytes
    var events: [Event] = []
    var offset = 0
    while true {
      let (consumed, event) = try connection.receive(
        input.span.extracting(offset..<input.count), at: now)
      offset += consumed
      if let event { events.append(event) }
      if consumed == 0, event == nil { break }
    }
    pending = Array(input[offset...])
    return events
  }

  func takeControl() -> [UInt8] {
    let bytes = connection.control.withBytes { span in span.indices.map { span[$0] } }
    connection.control.removeAll()
    return bytes
  }

  /// The frames written since the last call, without a client's preface.
  func output() -> [Frame] {
    let bytes = takeControl()
    let preface = Array("\(ControlOutput.preface)".utf8)
    return Frame.all(in: bytes.starts(with: preface) ? Array(bytes[preface.count...]) : bytes)
  }

  /// A tunnel on the next free number, answered with 200.
  func openTunnel(_ authority: String = "10.0.0.7:80") throws -> StreamID {
    let stream = connection.open(authority: authority, headers: [])
    guard let stream else { throw ConnectionError.pushPromise }
    _ = try feed(Frame.headers(stream.rawValue, [(":status", "200")]))
    _ = output()
    return stream
  }

  // What `#expect` cannot ask of a noncopyable value itself.
  var isDraining: Bool { connection.isDraining }
  var isDrained: Bool { connection.isDrained }
  var activeStreams: Int { connection.activeStreams }
  var liveStreams: Int { connection.liveStreams }
  func canSend(_ stream: StreamID) -> Bool { connection.canSend(stream) }
  func sendCredit(_ stream: StreamID) -> Int { connection.sendCredit(stream) }

  func open(_ authority: String = "10.0.0.7:80", headers: [HeaderField] = []) -> StreamID? {
    connection.open(authority: authority, headers: headers)
  }
}
