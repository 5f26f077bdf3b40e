import Linux
import MeshModel

/// Something a worker's poller reports on; it lives in a slot of its worker.
///
/// A closed handler stays in memory until the batch of events ends, so that events already
/// taken from the kernel find it closed rather than gone.
class Handler {
  let worker: Worker
  /// Slot and generation; 0 while in no slot.
  final var token: UInt64 = 0
  final var isClosed = false
  /// Waits in the worker's list for another turn.
  final var isQueued = false
  /// Has an entry in the worker's timers, the earliest at `timerEntry`.
  final var isTimed = false
  final var timerEntry: Instant?
  /// When `expired` is due; nil for never.
  final var deadline: Instant?

  init(worker: Worker) {
    self.worker = worker
  }

  /// The kernel reports on the descriptor.
  func ready(_ readiness: Readiness) {}

  /// Another turn, asked for with `worker.queue`.
  func turn() {}

  /// The deadline has passed.
  func expired() {}

  /// Sets or moves the deadline.
  final func expire(after duration: Duration) {
    deadline = worker.now + duration
    worker.watchDeadline(of: self)
  }
}

/// Handlers by slot; a token names a slot and how often it was used before.
///
///     generation 32 | slot 32
///
/// A token of an earlier generation finds nothing.
struct SlotTable {
  private var handlers: [Handler?] = []
  private var generations: [UInt32] = []
  private var vacant: [UInt32] = []

  private(set) var count = 0

  mutating func insert(_ handler: Handler) -> UInt64 {
    count += 1
    guard let slot = vacant.popLast() else {
      handlers.append(handler)
      generations.append(1)
      return 1 << 32 | UInt64(handlers.count - 1)
    }
    handlers[Int(slot)] = handler
    return UInt64(generations[Int(slot)]) << 32 | UInt64(slot)
  }

  func handler(_ token: UInt64) -> Handler? {
    let slot = Int(token & 0xffff_ffff)
    guard slot < handlers.count, UInt64(generations[slot]) == token >> 32 else { return nil }
    return handlers[slot]
  }

  mutating func remove(_ token: UInt64) -> Handler? {
    guard let handler = handler(token) else { return nil }
    let slot = Int(token & 0xffff_ffff)
    handlers[slot] = nil
    generations[slot] &+= 1
    vacant.append(UInt32(slot))
    count -= 1
    return handler
  }

  /// A copy, so that handlers may leave while it is walked.
  var all: [Handler] { handlers.compactMap(\.self) }
}
