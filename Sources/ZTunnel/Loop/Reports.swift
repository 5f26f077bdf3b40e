import AgentProtocol
import Linux
import MeshModel

/// What a worker has to tell the control thread, gathered so that one wake-up serves many.
struct Reports {
  /// For the agent; dropped, and counted, when the control thread does not keep up.
  private var messages: [TunnelMessage] = []
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
    let isFull = messages.count >= ZTunnelLimit.messagesPerReport
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
      if !control.post(.messages(messages)) { droppedMessages += UInt64(messages.count) }
      messages = []
      self.messagesDue = nil
    }
    unsaid.removeFirst(unsaid.prefix { control.post($0) }.count)
    let again = unsaid.isEmpty ? nil : now + ZTunnelLimit.reportRetry
    self.due = [messagesDue, again].compactMap(\.self).min()
  }
}
