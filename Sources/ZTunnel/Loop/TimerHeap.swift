import MeshModel

/// Moments with a token each, the earliest first.
///
/// A binary heap; equal moments come in any order.
struct TimerHeap {
  struct Entry {
    var at: Instant
    var token: UInt64
  }

  private var entries: [Entry] = []

  var isEmpty: Bool { entries.isEmpty }
  var count: Int { entries.count }
  var earliest: Instant? { entries.first?.at }

  mutating func insert(_ token: UInt64, at moment: Instant) {
    entries.append(Entry(at: moment, token: token))
    var child = entries.count - 1
    while child > 0 {
      let parent = (child - 1) / 2
      guard entries[child].at < entries[parent].at else { return }
      entries.swapAt(child, parent)
      child = parent
    }
  }

  /// The earliest token whose moment has come.
  mutating func popDue(at now: Instant) -> UInt64? {
    guard let first = entries.first, first.at <= now else { return nil }
    entries.swapAt(0, entries.count - 1)
    entries.removeLast()
    var parent = 0
    while true {
      var least = parent
      for child in [2 * parent + 1, 2 * parent + 2]
      where child < entries.count && entries[child].at < entries[least].at {
        least = child
      }
      if least == parent { return first.token }
      entries.swapAt(parent, least)
      parent = least
    }
  }
}
