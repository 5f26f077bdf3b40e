// Modules: MeshModel HBONE
@testable import HBONE
import MeshModel

/// A peer that sends anything, in pieces of any size, to a machine whose application is busy.
///
///     role and greeting 1 | piece size 1 | choices of the application 14 | the peer's bytes
///
/// No input may trap; memory, windows and counts must stay within their bounds.
@c(LLVMFuzzerTestOneInput)
public func fuzzConnection(_ bytes: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  guard count > 16 else { return 0 }
  let input = Array(UnsafeBufferPointer(start: bytes, count: count))
  var application = Application(choices: Array(input[..<16]))
  do throws(ConnectionError) {
    if input[0] & 2 == 0 { try application.greet() }
    try application.take(Array(input[16...]), piece: max(1, Int(input[1])))
  } catch {
    precondition(!application.connection.control.isEmpty, "an error without GOAWAY")
  }
  return 0
}

/// Does by turns what a caller may do, decided by the input.
struct Application: ~Copyable {
  var connection: HTTP2Connection
  let choices: [UInt8]
  var turn = 2
  var now = Instant(nanoseconds: 0)
  var held: [StreamID: Int] = [:]

  init(choices: [UInt8]) {
    self.choices = choices
    var settings = LocalSettings.default
    if choices[0] & 4 != 0 {
      settings.streamWindow = 1_000
      settings.connectionWindow = 70_000
      settings.maxConcurrentStreams = 3
      settings.headerTableSize = 100
    }
    connection = HTTP2Connection(
      role: choices[0] & 1 == 0 ? .server : .client, settings: settings, at: now)
  }

  mutating func greet() throws(ConnectionError) {
    if connection.role == .server { try take(Array("\(ControlOutput.preface)".utf8), piece: 24) }
    let settings = FrameHeader(length: 0, type: .settings, stream: StreamID(0)).bytes
    try take(settings.indices.map { settings[$0] }, piece: 9)
    if connection.role == .client {
      for _ in 0..<3 { open() }
    }
  }

  mutating func take(_ bytes: [UInt8], piece: Int) throws(ConnectionError) {
    var available = 0
    var offset = 0
    while available < bytes.count {
      available = min(bytes.count, available + piece)
      now = now + .microseconds(Int(choice()))
      while true {
        let (consumed, event) = try connection.receive(
          bytes.span.extracting(offset..<available), at: now)
        precondition(consumed <= available - offset)
        if let event { act(on: event, room: available - offset) }
        offset += consumed
        check()
        if consumed == 0, event == nil { break }
      }
      precondition(available - offset <= Limit.contiguousBytes, "it hoards \(available - offset)")
    }
  }

  private mutating func choice() -> UInt8 {
    turn = turn % (choices.count - 1) + 1
    return choices[turn]
  }

  private mutating func open() {
    let headers = [HeaderField(name: "baggage", value: "a=\(choice())")]
    if let stream = connection.open(authority: "10.0.0.7:80", headers: headers) { held[stream] = 0 }
  }

  private mutating func act(on event: Event, room: Int) {
    switch event {
    case .connectRequest(let stream, _):
      precondition(held.updateValue(0, forKey: stream) == nil, "a request twice")
      let isGood = choice() & 1 == 0
      connection.respond(stream, status: isGood ? 200 : 401, headers: [], endStream: !isGood)
    case .data(let stream, let offset, let count, _):
      guard let before = held[stream] else { preconditionFailure("DATA for a stream let go") }
      precondition(offset >= 0 && count >= 0 && offset + count <= room)
      held[stream] = before + count
    case .reset(let stream, _):
      precondition(held[stream] != nil, "a reset of a stream let go")
    case .response(let stream, _):
      precondition(held[stream] != nil, "an answer for a stream let go")
    case .windowOpened, .goAway, .pingAcknowledged, .peerSettings:
      break
    }
    doSomething()
  }

  private mutating func doSomething() {
    guard let (stream, count) = held.min(by: { $0.key < $1.key }) else { return }
    switch choice() & 15 {
    case 0...3:
      connection.consumed(stream, count: count)
      held[stream] = 0
    case 4...8 where connection.canSend(stream):
      let credit = connection.sendCredit(stream)
      _ = connection.writeDataHeader(stream, count: min(credit, 100), endStream: choice() & 1 == 0)
    case 9:
      connection.reset(stream, .cancel)
    case 10...12:
      connection.closed(stream)
      held[stream] = nil
    case 13: connection.control.removeAll()
    case 14 where connection.role == .client: open()
    case 15 where choice() == 0: connection.goAway(.noError)
    default: break
    }
  }

  private func check() {
    precondition(connection.liveStreams == held.count, "streams leak")
    precondition(connection.activeStreams >= 0 && connection.activeStreams <= held.count)
    precondition(connection.control.count <= Limit.controlBacklogBytes + 4_096)
    precondition(connection.window.receive >= 0)
    precondition(
      connection.window.receive + connection.window.owed + held.values.reduce(0, +)
        <= connection.connectionWindowTarget)
    precondition(connection.headerBlock.bytes.count <= Limit.headerBlockBytes)
  }
}
