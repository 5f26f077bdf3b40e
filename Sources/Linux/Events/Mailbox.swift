import Synchronization

/// Messages for a thread that waits on a poller: any thread posts, one thread drains.
///
/// Watch `number` for `.readable`; it is readable while something was posted since the last drain.
public final class Mailbox<Message: Sendable>: Sendable {
  /// Messages held before `post` says no.
  public let capacity: Int
  private let queue = Mutex<[Message]>([])
  private let wakeUp: EventDescriptor

  public init(capacity: Int = MailboxLimit.messages) throws(LinuxError) {
    precondition(capacity > 0, "a mailbox for \(capacity) messages")
    self.capacity = capacity
    wakeUp = try EventDescriptor()
  }

  public var number: CInt { wakeUp.number }

  /// False when the mailbox is full: the message was not taken.
  @discardableResult public func post(_ message: Message) -> Bool {
    let before = queue.withLock { queue -> Int? in
      guard queue.count < capacity else { return nil }
      queue.append(message)
      return queue.count - 1
    }
    if before == 0 { wakeUp.signal() }
    return before != nil
  }

  /// Wakes the drainer without a message.
  public func wake() { wakeUp.signal() }

  /// Replaces `messages` with everything posted, oldest first; never waits.
  public func drain(into messages: inout [Message]) {
    messages.removeAll(keepingCapacity: true)
    wakeUp.drain()
    queue.withLock { swap(&$0, &messages) }
  }

  public func drain() -> [Message] {
    var messages: [Message] = []
    drain(into: &messages)
    return messages
  }
}

public enum MailboxLimit {
  /// The capacity of a mailbox that names no other.
  public static let messages = 65_536
}
