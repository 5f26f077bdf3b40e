import Glibc
import Linux
import MeshModel
import TestSupport

/// A connection that waits, for tests: every call has a deadline.
final class Stream {
  enum Failure: Error {
    case timedOut
    case reset
  }

  private var socket: Socket?
  private let poller: Poller
  private var buffer = Buffer()

  init(_ socket: consuming Socket) throws {
    poller = try Poller()
    try poller.add(socket.number, token: 0, [.readable, .writable, .peerClosed, .edgeTriggered])
    self.socket = consume socket
  }

  /// Dials from inside a namespace; a mark makes the fake capture take it.
  static func dial(
    _ address: SocketAddress, in namespace: borrowing NetworkNamespace, mark: UInt32? = nil
  ) throws -> Stream {
    let socket = try Socket.stream(for: address.ip, in: namespace)
    if let mark { try socket.setMark(mark) }
    let outcome = try socket.connect(to: address)
    let stream = try Stream(socket)
    if outcome == .inProgress { try stream.finishConnect() }
    return stream
  }

  /// A connection that was reset before we looked was reset like any other.
  private func finishConnect() throws {
    do {
      _ = try retry { socket in try socket.connectResult() == .connected ? true : nil }
    } catch let error as LinuxError where error.errno == ECONNRESET {
      throw Failure.reset
    }
  }

  var localAddress: SocketAddress? {
    get throws { try socket?.localAddress() }
  }

  var peerAddress: SocketAddress? {
    get throws { try socket?.peerAddress() }
  }

  func send(_ bytes: [UInt8]) throws {
    var offset = 0
    while offset < bytes.count {
      offset += try retry { socket in
        switch socket.send(bytes.span.extracting(droppingFirst: offset)) {
        case .sent(let count): return count
        case .wouldBlock: return nil
        case .failed: throw Failure.reset
        }
      }
    }
  }

  func send(_ text: String) throws { try send(Array(text.utf8)) }

  /// The next bytes, empty at the end of the stream.
  func receive(
    atMost count: Int = 65_536, within limit: Duration = patience
  ) throws -> [UInt8] {
    try retry(within: limit) { socket in
      switch socket.receive(into: &buffer, atMost: count) {
      case .bytes:
        let bytes = buffer.lend { bytes in bytes.indices.map { bytes[$0] } }
        buffer.removeAll()
        return bytes
      case .endOfFile: return []
      case .wouldBlock: return nil
      case .reset: throw Failure.reset
      }
    }
  }

  /// Exactly so many bytes, fewer only at the end of the stream.
  func receive(exactly count: Int) throws -> [UInt8] {
    var bytes: [UInt8] = []
    while bytes.count < count {
      let part = try receive(atMost: count - bytes.count)
      if part.isEmpty { break }
      bytes += part
    }
    return bytes
  }

  func receiveText(_ count: Int) throws -> String {
    String(decoding: try receive(exactly: count), as: UTF8.self)
  }

  /// The same connection for another thread.
  func copy() throws -> SharedDescriptor {
    guard let descriptor = try socket?.descriptor.duplicate() else { throw Failure.reset }
    return SharedDescriptor(descriptor)
  }

  func finishSending() { socket?.shutdownWrite() }
  func reset() { socket.take()?.closeWithReset() }

  private func retry<Result>(
    within limit: Duration = patience, _ attempt: (borrowing Socket) throws -> Result?
  ) throws -> Result {
    let deadline = MonotonicClock.now() + limit
    var events: [PollEvent] = []
    while let open = socket.take() {
      let result: Result?
      do {
        result = try attempt(open)
      } catch {
        socket = consume open
        throw error
      }
      socket = consume open
      if let result { return result }
      let left = deadline.since(MonotonicClock.now())
      guard left > .zero else { throw Failure.timedOut }
      try poller.wait(timeout: left, into: &events)
    }
    throw Failure.reset
  }
}

extension Stream {
  /// Byte `n` of a pattern that repeats at no power of two.
  private static let pattern: [UInt8] = (0..<65_521).map { UInt8(truncatingIfNeeded: $0 * 31 / 7) }

  func sendPattern(_ count: Int) throws {
    var sent = 0
    while sent < count {
      let start = sent % Self.pattern.count
      let end = min(start + count - sent, Self.pattern.count)
      try send(Array(Self.pattern[start..<end]))
      sent += end - start
    }
  }

  func checkPattern(_ count: Int) throws -> Bool {
    var received = 0
    while received < count {
      let bytes = try receive()
      guard !bytes.isEmpty else { return false }
      for byte in bytes {
        guard byte == Self.pattern[received % Self.pattern.count] else { return false }
        received += 1
      }
    }
    return true
  }
}

/// An application: every connection gets a thread and the handler.
final class TestServer: Sendable {
  let address: SocketAddress

  init(
    on address: SocketAddress, in namespace: borrowing NetworkNamespace,
    _ handler: @escaping @Sendable (Stream, SocketAddress) throws -> Void
  ) throws {
    let listener = try namespace.run { () throws(LinuxError) in
      try Socket.listener(on: address)
    }
    self.address = try listener.localAddress()
    let shared = SharedDescriptor(listener.takeDescriptor())
    _ = try WorkerThread(name: "server") {
      do {
        try Self.serve(shared, handler)
      } catch {
        CurrentProcess.writeError("test server: \(error)")
      }
    }
  }

  private static func serve(
    _ shared: SharedDescriptor,
    _ handler: @escaping @Sendable (Stream, SocketAddress) throws -> Void
  ) throws {
    let listener = Socket(try shared.descriptor.duplicate())
    let poller = try Poller()
    try poller.add(listener.number, token: 0, .readable)
    var events: [PollEvent] = []
    while true {
      try poller.wait(timeout: nil, into: &events)
      while let accepted = try listener.accept() {
        let peer = accepted.peer
        let descriptor = SharedDescriptor(accepted.takeSocket().takeDescriptor())
        _ = try WorkerThread(name: "connection") {
          do {
            try handler(Stream(Socket(try descriptor.descriptor.duplicate())), peer)
          } catch {
            // The test sees what its client sees.
          }
        }
      }
    }
  }

  /// Says every byte back, and the end as well.
  static func echo(_ stream: Stream, _ peer: SocketAddress) throws {
    while true {
      let bytes = try stream.receive()
      if bytes.isEmpty { break }
      try stream.send(bytes)
    }
    stream.finishSending()
  }
}
