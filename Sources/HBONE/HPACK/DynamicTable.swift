/// A header as the tables keep it.
struct TableEntry: Sendable {
  var name: String
  var value: String
  /// Bytes on the wire before compression; a repaired text may have another count.
  var nameByteCount: Int
  var valueByteCount: Int
  /// Only bytes that HTTP/2 allows (RFC 9113, section 8.2.1).
  var isNameWellFormed = true
  var isValueWellFormed = true

  /// Bytes that every entry counts for beside its own (RFC 7541, section 4.1).
  static let overhead = 32

  init(name: String, value: String) {
    self.init(
      name: name, value: value, nameByteCount: name.utf8.count, valueByteCount: value.utf8.count)
  }

  init(
    name: String, value: String, nameByteCount: Int, valueByteCount: Int,
    isNameWellFormed: Bool = true, isValueWellFormed: Bool = true
  ) {
    self.name = name
    self.value = value
    self.nameByteCount = nameByteCount
    self.valueByteCount = valueByteCount
    self.isNameWellFormed = isNameWellFormed
    self.isValueWellFormed = isValueWellFormed
  }

  var size: Int { nameByteCount + valueByteCount + Self.overhead }
  var isWellFormed: Bool { isNameWellFormed && isValueWellFormed }
}

/// The headers one side has sent lately, newest first, within a bound of bytes.
///
/// Source: RFC 7541, sections 2.3.2 and 4.
struct DynamicTable: Sendable {
  /// Oldest first; those before `start` are evicted and blank.
  private var entries: [TableEntry] = []
  private var start = 0
  private(set) var size = 0
  private(set) var maximumSize: Int

  init(maximumSize: Int) {
    self.maximumSize = maximumSize
  }

  var count: Int { entries.count - start }

  /// The entry that came `index` before the newest.
  subscript(index: Int) -> TableEntry { entries[entries.count - 1 - index] }

  mutating func resize(to bytes: Int) {
    maximumSize = bytes
    evict(downTo: bytes)
  }

  /// Makes room and adds; an entry larger than the table empties it and is not kept.
  mutating func insert(_ entry: TableEntry) {
    guard entry.size <= maximumSize else {
      evict(downTo: 0)
      return
    }
    evict(downTo: maximumSize - entry.size)
    entries.append(entry)
    size += entry.size
  }

  /// The newest entry with this name, and the newest with this value too; nil when there is none.
  func find(name: String, value: String) -> (name: Int?, field: Int?) {
    var named: Int?
    for index in 0..<count where entries[entries.count - 1 - index].name == name {
      if entries[entries.count - 1 - index].value == value { return (named ?? index, index) }
      if named == nil { named = index }
    }
    return (named, nil)
  }

  private mutating func evict(downTo bytes: Int) {
    while size > bytes {
      size -= entries[start].size
      entries[start] = TableEntry(name: "", value: "")
      start += 1
    }
    if start > entries.count / 2 {
      entries.removeFirst(start)
      start = 0
    }
  }
}
