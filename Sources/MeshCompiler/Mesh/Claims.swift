/// Who claims what; of several the first in their order counts.
struct Claims<Key: Hashable & Sendable, Claimant: Comparable & Sendable>: Sendable {
  private var firsts: [Key: Claimant] = [:]
  /// What several claim, with all of them in order.
  private(set) var contested: [Key: [Claimant]] = [:]

  func first(_ key: Key) -> Claimant? { firsts[key] }

  mutating func add(_ claimant: Claimant, to key: Key) {
    guard let first = firsts[key] else {
      firsts[key] = claimant
      return
    }
    contested[key, default: [first]].insertInOrder(claimant)
    if claimant < first { firsts[key] = claimant }
  }

  mutating func remove(_ claimant: Claimant, from key: Key) {
    guard contested[key] != nil else {
      if firsts[key] == claimant { firsts[key] = nil }
      return
    }
    contested[key]?.removeInOrder(claimant)
    firsts[key] = contested[key]?.first
    if contested[key]?.count ?? 0 < 2 { contested[key] = nil }
  }
}

extension Array where Element: Comparable {
  fileprivate mutating func insertInOrder(_ element: Element) {
    insert(element, at: position(of: element))
  }

  fileprivate mutating func removeInOrder(_ element: Element) {
    let index = position(of: element)
    if index < count, self[index] == element { remove(at: index) }
  }

  /// The first place whose element is not before this one.
  private func position(of element: Element) -> Int {
    var (low, high) = (0, count)
    while low < high {
      let middle = (low + high) / 2
      if self[middle] < element { low = middle + 1 } else { high = middle }
    }
    return low
  }
}
