/// One stream as the connection keeps it.
struct Stream: Sendable {
  /// Who may still send (RFC 9113, section 5.1).
  enum State: UInt8, Sendable {
    case open
    case halfClosedLocal
    case halfClosedRemote
    case closed
  }

  /// How far the CONNECT itself has come.
  enum Progress: UInt8, Sendable {
    /// Asked for, not answered.
    case requested
    /// Answered with 2xx: a tunnel.
    case established
    /// Answered with anything else.
    case refused
  }

  var id: StreamID
  var state = State.open
  var progress = Progress.requested
  /// Bytes the peer lets us send; negative after it has lowered its initial window.
  var sendWindow: Int
  /// Bytes the peer may still send.
  var receiveWindow: Int
  /// Bytes handed to the caller that it has not consumed.
  var held = 0
  /// Bytes consumed for which no WINDOW_UPDATE has gone out.
  var owed = 0

  var sendsOpen: Bool { state == .open || state == .halfClosedRemote }
  var receivesOpen: Bool { state == .open || state == .halfClosedLocal }
}

/// The streams of a connection by number: open addressing, no allocation while it has its size.
struct StreamTable: Sendable {
  /// Number 0 marks a free slot; no stream has it.
  private var slots: [Stream] = []
  private(set) var count = 0

  private static let free = Stream(id: StreamID(0), sendWindow: 0, receiveWindow: 0)
  private static let smallest = 8
  /// A table this large is given back when it is empty.
  private static let kept = 64

  /// Where the stream is, until the next insertion or removal.
  func find(_ id: StreamID) -> Int? {
    guard !slots.isEmpty else { return nil }
    let mask = slots.count - 1
    var index = Self.home(id) & mask
    while slots[index].id != id {
      guard slots[index].id.rawValue != 0 else { return nil }
      index = (index + 1) & mask
    }
    return index
  }

  subscript(index: Int) -> Stream {
    get { slots[index] }
    _modify { yield &slots[index] }
  }

  mutating func insert(_ stream: Stream) {
    if slots.count < 2 * (count + 1) { grow() }
    place(stream)
    count += 1
  }

  /// Frees a slot and moves back what would not be found any more.
  mutating func remove(at index: Int) {
    let mask = slots.count - 1
    var hole = index
    var next = (index + 1) & mask
    while slots[next].id.rawValue != 0 {
      let home = Self.home(slots[next].id) & mask
      if (next &- home) & mask >= (next &- hole) & mask {
        slots[hole] = slots[next]
        hole = next
      }
      next = (next + 1) & mask
    }
    slots[hole] = Self.free
    count -= 1
    if count == 0, slots.count > Self.kept { slots = [] }
  }

  /// Changes every stream, in no particular order.
  mutating func forEach<E: Error>(_ body: (inout Stream) throws(E) -> Void) throws(E) {
    for index in slots.indices where slots[index].id.rawValue != 0 {
      try body(&slots[index])
    }
  }

  func first(where isWanted: (Stream) -> Bool) -> Int? {
    slots.firstIndex { $0.id.rawValue != 0 && isWanted($0) }
  }

  /// Numbers go up by two, so neighbours fill the table evenly.
  private static func home(_ id: StreamID) -> Int { Int(id.rawValue >> 1) }

  private mutating func place(_ stream: Stream) {
    let mask = slots.count - 1
    var index = Self.home(stream.id) & mask
    while slots[index].id.rawValue != 0 { index = (index + 1) & mask }
    slots[index] = stream
  }

  private mutating func grow() {
    let old = slots
    slots = [Stream](repeating: Self.free, count: max(Self.smallest, old.count * 2))
    for stream in old where stream.id.rawValue != 0 { place(stream) }
  }
}

/// The streams we reset last: what the peer sent before it knew is dropped in silence.
struct RecentResets: Sendable {
  private var numbers: [StreamID] = []
  private var next = 0

  mutating func insert(_ id: StreamID) {
    if numbers.count < Limit.rememberedResets {
      numbers.append(id)
    } else {
      numbers[next] = id
      next = (next + 1) % Limit.rememberedResets
    }
  }

  func contains(_ id: StreamID) -> Bool { numbers.contains(id) }
}
