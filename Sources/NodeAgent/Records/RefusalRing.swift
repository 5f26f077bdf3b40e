import AgentProtocol

/// The last refusals, newest first when read; bounded, the oldest goes first.
struct RefusalRing {
  private let capacity: Int
  private var slots: [Refusal] = []
  private var next = 0
  /// All refusals ever recorded, also those that have gone.
  private(set) var total: UInt64 = 0

  init(capacity: Int = Limit.refusalsKept) {
    precondition(capacity > 0, "a ring of \(capacity) keeps nothing")
    self.capacity = capacity
  }

  mutating func record(_ refusal: Refusal) {
    total += 1
    guard slots.count == capacity else {
      slots.append(refusal)
      return
    }
    slots[next] = refusal
    next = (next + 1) % capacity
  }

  var newestFirst: [Refusal] {
    Array((slots[next...] + slots[..<next]).reversed())
  }
}
