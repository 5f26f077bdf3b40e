import Linux
import MeshModel
import Telemetry

/// A connection from inside a pod that only a captured pod brings to ztunnel.
enum Canary {
  /// What pods dial; documentation addresses, so nobody else is meant.
  ///
  /// Source: RFC 5737 (TEST-NET-1) and RFC 3849.
  static let ipv4 = SocketAddress(ip: .v4(0xC000_0201), port: 15_099)
  static let ipv6 = SocketAddress(
    ip: .v6(high: 0x2001_0db8_0000_0000, low: 0x0000_0000_0015_0099), port: 15_099)

  /// Dials from inside the namespace, sends the nonce and waits for the same eight bytes.
  ///
  /// Blocks up to the timeout: call it on a thread of its own.
  static func dial(
    _ destination: SocketAddress, from namespace: borrowing NetworkNamespace, nonce: UInt64
  ) -> CanaryFailure? {
    let deadline = MonotonicClock.now() + Limit.canaryTimeout
    do throws(LinuxError) {
      let socket = try Socket.stream(for: destination.ip, in: namespace)
      let poller = try Poller()
      try poller.add(socket.number, token: 0, .writable)
      var outcome = try socket.connect(to: destination)
      while outcome == .inProgress {
        guard try isReady(poller, by: deadline) else {
          return .notConnected(
            reason: "no connection within \(Limit.canaryTimeout.brief); is the pod captured, and "
              + "is ztunnel listening?")
        }
        outcome = try socket.connectResult()
      }
      let bytes = (0..<8).map { UInt8(truncatingIfNeeded: nonce >> (56 - 8 * UInt64($0))) }
      guard case .sent(8) = socket.send(bytes.span) else { return .noAnswer }
      try poller.modify(socket.number, token: 0, .readable)
      return try answer(of: socket, is: bytes, poller, by: deadline)
    } catch {
      if error.isUnreachable {
        return .notConnected(
          reason: "the pod has no route to \(destination.ip); give it a default route (\(error))")
      }
      return .notConnected(reason: "\(error)")
    }
  }

  private static func answer(
    of socket: borrowing Socket, is expected: [UInt8], _ poller: borrowing Poller,
    by deadline: Instant
  ) throws(LinuxError) -> CanaryFailure? {
    var buffer = Buffer(capacity: 64)
    while buffer.count < expected.count {
      guard try isReady(poller, by: deadline) else { return .noAnswer }
      switch socket.receive(into: &buffer, atMost: 64) {
      case .bytes, .wouldBlock: continue
      case .endOfFile, .reset: return buffer.isEmpty ? .noAnswer : .wrongAnswer
      }
    }
    let answer = buffer.readable
    let isSame =
      answer.count == expected.count && expected.indices.allSatisfy { answer[$0] == expected[$0] }
    return isSame ? nil : .wrongAnswer
  }

  private static func isReady(
    _ poller: borrowing Poller, by deadline: Instant
  ) throws(LinuxError) -> Bool {
    var events: [PollEvent] = []
    while true {
      let left = deadline.since(MonotonicClock.now())
      try poller.wait(timeout: left, into: &events)
      if !events.isEmpty { return true }
      if left == .zero { return false }
    }
  }
}
