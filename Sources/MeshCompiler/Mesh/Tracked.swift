/// A table that knows what became of it since somebody asked last.
struct Tracked<Key: Hashable & Comparable & Sendable, Value: Equatable & Sendable> {
  private(set) var table: [Key: Value] = [:]
  /// What is not as it was, with how it was: nothing, for what is new.
  private var before: [Key: Value?] = [:]

  mutating func set(_ key: Key, to value: Value?) {
    let old = table[key]
    guard old != value else { return }
    table[key] = value
    switch before[key] {
    case nil: before.updateValue(old, forKey: key)
    case .some(let first): if first == value { before[key] = nil }
    }
  }

  /// What is new or other since this was called last, and what is gone, in the order of the keys.
  mutating func takeChanges() -> (set: [Value], removed: [Key]) {
    let keys = before.keys.sorted()
    before = [:]
    return (keys.compactMap { table[$0] }, keys.filter { table[$0] == nil })
  }
}
