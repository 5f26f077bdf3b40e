import MeshModel
import TestSupport

@testable import HBONE

/// A client machine and a server machine joined by a pipe that cuts bytes anywhere, in virtual time.
///
/// Every stream carries a known pattern of a random length both ways; what arrives is compared byte
/// by byte. Some streams are reset half-way, by either side.
final class Pair {
  let client: Endpoint
  let server: Endpoint
  private var generator: SeededGenerator
  private var now = Instant(nanoseconds: 0)
  private var toOpen: Int
  private let largest: Int
  private(set) var opened = 0

  init(
    seed: UInt64, streams: Int, largest: Int, client: LocalSettings = .default,
    server: LocalSettings = .default
  ) {
    generator = SeededGenerator(seed: seed)
    toOpen = streams
    self.largest = largest
    self.client = Endpoint(.client, settings: client)
    self.server = Endpoint(.server, settings: server)
  }

  var isDone: Bool {
    toOpen == 0 && client.isIdle && server.isIdle && client.wire.isEmpty && server.wire.isEmpty
  }

  /// Runs until all is done; false when that takes more than `limit` steps.
  func drive(limit: Int) throws -> Bool {
    for _ in 0..<limit where !isDone {
      now = now + .microseconds(Int.random(in: 1...200, using: &generator))
      openSome()
      client.act(&generator, largest: largest)
      server.act(&generator, largest: largest)
      try deliver(from: client, to: server)
      try deliver(from: server, to: client)
    }
    return isDone
  }

  private func openSome() {
    guard toOpen > 0, Bool.random(using: &generator) else { return }
    let length = Int.random(in: 0...largest, using: &generator)
    let headers = [
      HeaderField(name: "traceparent", value: "00-\(generator.next())-\(generator.next())-00"),
      HeaderField(name: "baggage", value: "k8s.namespace.name=shop,service.name=cart"),
    ]
    guard client.open(length: length, headers: headers) else { return }
    toOpen -= 1
    opened += 1
  }

  private func deliver(from: Endpoint, to: Endpoint) throws {
    guard !from.wire.isEmpty else { return }
    let count = min(from.wire.count, 1 << Int.random(in: 0...17, using: &generator))
    try to.receive(Array(from.wire[..<count]), at: now, &generator, largest: largest)
    from.wire.removeFirst(count)
  }
}

/// One machine, the application behind it, and the bytes it has put on the wire.
final class Endpoint {
  struct Transfer {
    var toSend: Int
    var sent = 0
    var received = 0
    var unconsumed = 0
    var hasSentEnd = false
    var hasReceivedEnd = false
    var isAnswered: Bool
  }

  var connection: HTTP2Connection
  var wire: [UInt8] = []
  private(set) var transfers: [StreamID: Transfer] = [:]
  private(set) var finished = 0
  private(set) var reset = 0
  private(set) var wrongBytes = 0
  private(set) var receivedBytes = 0
  private var inbox: [UInt8] = []
  private let role: Role

  init(_ role: Role, settings: LocalSettings) {
    self.role = role
    connection = HTTP2Connection(role: role, settings: settings, at: Instant(nanoseconds: 0))
  }

  var isIdle: Bool { transfers.isEmpty && connection.control.isEmpty }

  /// What the sender on `stream` sends at `position`.
  static func pattern(_ stream: StreamID, from role: Role, at position: Int) -> UInt8 {
    let salt: UInt32 = role == .client ? 0x9e37 : 0x79b9
    return UInt8(
      truncatingIfNeeded: (stream.rawValue &* salt &+ UInt32(position) &* 0x0101_0b) >> 7)
  }

  func open(length: Int, headers: [HeaderField]) -> Bool {
    guard let stream = connection.open(authority: "10.0.0.7:80", headers: headers) else {
      return false
    }
    transfers[stream] = Transfer(toSend: length, isAnswered: false)
    return true
  }

  /// The application's turn: consume some, send some, now and then give up.
  func act(_ generator: inout SeededGenerator, largest: Int) {
    for stream in transfers.keys.sorted() {
      consume(stream, &generator)
      if Int.random(in: 0..<4_000, using: &generator) == 0 {
        connection.reset(stream, .cancel)
        drop(stream)
        continue
      }
      answer(stream, &generator, largest: largest)
      send(stream, &generator)
      finish(stream)
    }
    flush()
  }

  private func consume(_ stream: StreamID, _ generator: inout SeededGenerator) {
    guard let held = transfers[stream]?.unconsumed, held > 0 else { return }
    let count = Int.random(in: 0...held, using: &generator)
    connection.consumed(stream, count: count)
    transfers[stream]?.unconsumed -= count
  }

  private func answer(
    _ stream: StreamID, _ generator: inout SeededGenerator, largest: Int
  ) {
    guard role == .server, transfers[stream]?.isAnswered == false,
      Int.random(in: 0..<3, using: &generator) == 0
    else { return }
    connection.respond(
      stream, status: 200, headers: [HeaderField(name: "baggage", value: "service.name=to")],
      endStream: false)
    transfers[stream]?.isAnswered = true
  }

  private func send(_ stream: StreamID, _ generator: inout SeededGenerator) {
    guard let transfer = transfers[stream], transfer.isAnswered, !transfer.hasSentEnd else {
      return
    }
    let left = transfer.toSend - transfer.sent
    let most = min(left, connection.sendCredit(stream))
    guard most > 0 || left == 0 else { return }
    let count = Int.random(in: min(1, most)...most, using: &generator)
    let isEnd = count == left
    flush()
    let header = connection.writeDataHeader(stream, count: count, endStream: isEnd)
    for index in header.indices { wire.append(header[index]) }
    for position in transfer.sent..<transfer.sent + count {
      wire.append(Self.pattern(stream, from: role, at: position))
    }
    transfers[stream]?.sent += count
    transfers[stream]?.hasSentEnd = isEnd
  }

  private func finish(_ stream: StreamID) {
    guard let transfer = transfers[stream], transfer.hasSentEnd, transfer.hasReceivedEnd,
      transfer.unconsumed == 0
    else { return }
    connection.closed(stream)
    transfers[stream] = nil
    finished += 1
  }

  private func drop(_ stream: StreamID) {
    connection.closed(stream)
    transfers[stream] = nil
    reset += 1
  }

  private func flush() {
    connection.control.withBytes { bytes in
      for index in bytes.indices { wire.append(bytes[index]) }
    }
    connection.control.removeAll()
  }

  func receive(
    _ bytes: [UInt8], at now: Instant, _ generator: inout SeededGenerator, largest: Int
  ) throws {
    let input = inbox + bytes
    var offset = 0
    while true {
      let rest = offset
      let (consumed, event) = try connection.receive(
        input.span.extracting(rest..<input.count), at: now)
      offset += consumed
      if consumed == 0, event == nil { break }
      guard let event else { continue }
      handle(event, input, at: rest, Int.random(in: 0...largest, using: &generator))
    }
    inbox = Array(input[offset...])
  }

  private func handle(_ event: Event, _ input: [UInt8], at base: Int, _ length: Int) {
    switch event {
    case .connectRequest(let stream, _):
      transfers[stream] = Transfer(toSend: length, isAnswered: false)
    case .response(let stream, let response):
      transfers[stream]?.isAnswered = response.isSuccess
    case .data(let stream, let offset, let count, let isEnd):
      guard let transfer = transfers[stream] else {
        wrongBytes += 1
        return
      }
      let other: Role = role == .client ? .server : .client
      for index in 0..<count {
        let expected = Self.pattern(stream, from: other, at: transfer.received + index)
        if input[base + offset + index] != expected { wrongBytes += 1 }
      }
      transfers[stream]?.received += count
      transfers[stream]?.unconsumed += count
      transfers[stream]?.hasReceivedEnd = isEnd
      receivedBytes += count
    case .reset(let stream, _):
      if transfers[stream] != nil { drop(stream) }
    case .windowOpened, .goAway, .pingAcknowledged, .peerSettings:
      break
    }
  }
}
