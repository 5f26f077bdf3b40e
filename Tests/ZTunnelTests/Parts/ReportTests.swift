import AgentProtocol
import Linux
import MeshModel
import Testing

@testable import ZTunnel

@Suite struct `What a worker reports` {
  private static let record = ConnectionRecord(
    id: 1, direction: .outbound, source: SocketAddress(ip: .v4(1), port: 1),
    opened: WallTime(secondsSinceEpoch: 0))
  private static let start = Instant(nanoseconds: 1)

  private static func texts(_ control: Mailbox<WorkerReport>) -> [String] {
    control.drain().map { report in
      switch report {
      case .messages(let messages): messages.map(text).joined(separator: ", ")
      case .podReleased(let uid): "released \(uid)"
      case .listenerBroken, .inspected, .drained: "another"
      }
    }
  }

  private static func text(_ message: TunnelMessage) -> String {
    switch message {
    case .connectionsClosed(let records): "\(records.count) records"
    default: "a message"
    }
  }

  @Test func `about many connections travels together, after a while`() throws {
    let control = try Mailbox<WorkerReport>()
    var reports = Reports()
    for _ in 0..<3 { reports.add(Self.record, isUrgent: false, at: Self.start) }
    reports.tell(control, at: Self.start)
    #expect(Self.texts(control) == [])
    #expect(reports.due == Self.start + ZTunnelLimit.messageDelay)
    reports.tell(control, at: Self.start + ZTunnelLimit.messageDelay)
    #expect(Self.texts(control) == ["3 records"])
    #expect(reports.due == nil)
  }

  @Test func `takes no more than a batch along, nor waits with an urgent one`() throws {
    let control = try Mailbox<WorkerReport>()
    var reports = Reports()
    for _ in 0..<ZTunnelLimit.messagesPerReport {
      reports.add(Self.record, isUrgent: false, at: Self.start)
    }
    reports.tell(control, at: Self.start)
    reports.add(Self.record, isUrgent: false, at: Self.start)
    reports.add(.canaryArrived(uid: "a", nonce: 1), isUrgent: true, at: Self.start)
    reports.tell(control, at: Self.start)
    let most = Array(repeating: "\(AgentProtocol.Limit.closedRecords) records", count: 8)
    #expect(Self.texts(control) == [most.joined(separator: ", "), "a message, 1 records"])
  }

  @Test func `drops records when nobody takes them, but never that a pod is released`() throws {
    let control = try Mailbox<WorkerReport>(capacity: 1)
    control.post(.drained(worker: 0, cut: 0))
    var reports = Reports()
    reports.add(Self.record, isUrgent: false, at: Self.start)
    reports.add(.podReleased(uid: "a"), at: Self.start)
    reports.add(.podReleased(uid: "b"), at: Self.start)
    reports.tell(control, at: Self.start)
    #expect(reports.droppedMessages == 1)
    #expect(Self.texts(control) == ["another"])
    var later = Self.start
    for uid in ["a", "b"] {
      later = later + ZTunnelLimit.reportRetry
      #expect(reports.due == later)
      reports.tell(control, at: later)
      #expect(Self.texts(control) == ["released \(uid)"])
    }
    #expect(reports.due == nil)
  }

  @Test func `comes before the end it speaks of`() throws {
    let control = try Mailbox<WorkerReport>()
    var reports = Reports()
    reports.add(Self.record, isUrgent: false, at: Self.start)
    reports.add(.podReleased(uid: "a"), at: Self.start)
    reports.tell(control, at: Self.start)
    #expect(Self.texts(control) == ["1 records", "released a"])
  }
}
