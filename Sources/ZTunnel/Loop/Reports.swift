import AgentProtocol
import Linux
import MeshModel

/// What a worker has to tell the control thread, gathered so that one wake-up serves many.
struct Reports {
  /// For the agent; dropped, and counted, when the control thread does not keep up.
  private var messages: [TunnelMessage] = []
  /// The same of ended connections, which go many to a message.
  private var closed: [ConnectionRecord] = []
  private var messagesDue: Instant?
  /// For the control thread itself, which must not miss them: said again until there is room.
  ///
  /// At most one per pod, listener or request of the agent.
  private var unsaid: [WorkerReport] = []
  private(set) var droppedMessages: UInt64 = 0

  /// When `tell` has something to do, though nothing else happens.
  private(set) var due: Instant?

  /// Takes a message that may wait for others, or not.
  mutating func add(_ message: TunnelMessage, isUrgent: Bool, at now: Instant) {
    messages.append(message)
    schedule(isUrgent: isUrgent, at: now)
  }

  /// Takes the record of a connection that has ended.
  mutating func add(_ record: ConnectionRecord, isUrgent: Bool, at now: Instant) {
    closed.append(record)
    schedule(isUrgent: isUrgent, at: now)
  }

  private mutating func schedule(isUrgent: Bool, at now: Instant) {
    let isFull = messages.count + closed.count >= ZTunnelLimit.messagesPerReport
    let latest = isUrgent || isFull ? now : now + ZTunnelLimit.messageDelay
    messagesDue = min(messagesDue ?? latest, latest)
    due = min(due ?? latest, latest)
  }

  mutating func add(_ report: WorkerReport, at now: Instant) {
    unsaid.append(report)
    due = now
  }

  /// Posts what is due; messages before reports, so that none comes after the end they speak of.
  mutating func tell(_ control: Mailbox<WorkerReport>, at now: Instant) {
    guard let due, due <= now else { return }
    if let messagesDue, messagesDue <= now || !unsaid.isEmpty {
      let count = messages.count + closed.count
      if !control.post(.messages(takeMessages())) { droppedMessages += UInt64(count) }
      self.messagesDue = nil
    }
    unsaid.removeFirst(unsaid.prefix { control.post($0) }.count)
    let again = unsaid.isEmpty ? nil : now + ZTunnelLimit.reportRetry
    self.due = [messagesDue, again].compactMap(\.self).min()
  }

  private mutating func takeMessages() -> [TunnelMessage] {
    var taken = messages
    messages = []
    for start in stride(from: 0, to: closed.count, by: AgentProtocol.Limit.closedRecords) {
      let end = min(start + AgentProtocol.Limit.closedRecords, closed.count)
      taken.append(.connectionsClosed(Array(closed[start..<end])))
    }
    closed.removeAll(keepingCapacity: true)
    return taken
  }
}
