public import MeshModel

/// One HTTP/2 connection that carries CONNECT tunnels, as a value.
///
/// The caller moves the bytes. In: give what has come to `receive` until it says nothing more, and
/// act on each event. Out: write `control` before any DATA frame made later, and each DATA frame as
/// the nine bytes of `writeDataHeader` and then its payload, which never passes through here.
///
///     open / respond ─► control ─► wire ─► receive ─► connectRequest / response
///     sendCredit, writeDataHeader ───────► receive ─► data ─► consumed ─► (credit goes back)
///     reset / closed ─► control ─────────► receive ─► reset
///
/// A stream number stays known until the caller says `closed`.
/// Source: RFC 9113.
public struct HTTP2Connection: ~Copyable {
  public let role: Role
  /// What must be written now; grows only by what the peer or the caller does.
  public var control = ControlOutput()

  let local: LocalSettings
  var peer = PeerSettings()
  var reading: Reading
  var headerBlock = HeaderBlock()
  var streams = StreamTable()
  var recentResets = RecentResets()
  var allowances = Allowances()
  var decoder = HeaderDecoder()
  var encoder = HeaderEncoder()
  var window = ConnectionWindow()
  var drain = Drain.none
  var failure: ConnectionError?
  /// Streams that neither side has ended.
  public internal(set) var activeStreams = 0
  var nextStream: UInt32 = 1
  var highestPeerStream = StreamID(0)
  var isPeerGoingAway = false
  var isAcknowledged = false

  /// Where in the peer's bytes the machine stands.
  enum Reading: Sendable {
    case preface(matched: Int)
    /// The next nine bytes are a frame header.
    case frame
    /// `left` payload bytes of a DATA frame, then `padding`.
    case data(StreamID, left: Int, padding: Int, isEnd: Bool)
    /// `left` bytes of a header block, then `padding`.
    case fragment(left: Int, padding: Int, isLast: Bool)
    case skip(left: Int)
  }

  /// The block that HEADERS began and CONTINUATION goes on with.
  struct HeaderBlock: Sendable {
    /// Nil when the next frame may be any.
    var stream: StreamID?
    var isEnd = false
    var continuations = 0
    var bytes: [UInt8] = []
  }

  /// Flow control of all streams together.
  struct ConnectionWindow: Sendable {
    /// Bytes the peer lets us send.
    var send = HTTP2Defaults.window
    /// Bytes the peer may still send.
    var receive = HTTP2Defaults.window
    /// Bytes consumed for which no WINDOW_UPDATE has gone out.
    var owed = 0
  }

  /// How far a graceful end has come: announce, hear the echo, then name the last stream.
  enum Drain: Equatable, Sendable {
    case none
    case announced
    case final(lastStream: StreamID)
  }

  /// What one piece of input led to.
  enum Step {
    case needsMore
    case advanced
    case event(Event)
  }

  /// A new connection, with its preface and settings among the control bytes.
  public init(role: Role, settings: LocalSettings = .default, at now: Instant) {
    self.role = role
    local = settings
    switch role {
    case .client:
      reading = .frame
      control.appendPreface()
    case .server:
      reading = .preface(matched: 0)
    }
    control.appendSettings(settings.entries(for: role))
    let target = connectionWindowTarget
    if target > window.receive {
      control.appendWindowUpdate(StreamID(0), increment: target - window.receive)
      window.receive = target
    }
  }

  /// Streams the caller has not yet called `closed` for.
  public var liveStreams: Int { streams.count }

  /// Either side has said GOAWAY: no new streams here.
  public var isDraining: Bool { failure != nil || drain != .none || isPeerGoingAway }

  /// The peer's SETTINGS have come: it speaks HTTP/2, and its stream cap is known.
  public var hasPeerSettings: Bool { peer.hasArrived }

  /// Streams the peer allows at a time, as it said last; a default until it has said anything.
  public var peerStreamLimit: Int { peer.maxConcurrentStreams }

  /// Takes bytes from the front of `bytes`, up to and with the first event.
  ///
  /// Call again with the rest until nothing is consumed and no event comes; then keep the rest, at
  /// most ``Limit/contiguousBytes``, and bring it back with more behind it. Nothing consumed but
  /// an event is possible. After an error the connection is over: write `control`, close.
  public mutating func receive(
    _ bytes: Span<UInt8>, at now: Instant
  ) throws(ConnectionError) -> (consumed: Int, event: Event?) {
    if let failure { throw failure }
    do throws(ConnectionError) {
      return try parse(bytes, at: now)
    } catch {
      failure = error
      control.appendGoAway(lastStream: lastTakenStream, error.code, debug: error.label)
      throw error
    }
  }

  private mutating func parse(
    _ bytes: Span<UInt8>, at now: Instant
  ) throws(ConnectionError) -> (consumed: Int, event: Event?) {
    var offset = 0
    while true {
      guard control.count <= Limit.controlBacklogBytes else { throw .abuse(.controlBacklog) }
      let step: Step
      switch reading {
      case .frame:
        step = try beginFrame(bytes, at: &offset, now: now)
      case .data(let stream, let left, let padding, let isEnd):
        step = takeData(
          bytes, at: &offset, stream: stream, left: left, padding: padding, isEnd: isEnd)
      case .fragment(let left, let padding, let isLast):
        step = try takeFragment(
          bytes, at: &offset, left: left, padding: padding, isLast: isLast, now: now)
      case .skip(let left):
        step = skip(left, of: bytes, at: &offset)
      case .preface(let matched):
        step = try takePreface(bytes, at: &offset, matched: matched)
      }
      switch step {
      case .needsMore: return (offset, nil)
      case .advanced: continue
      case .event(let event): return (offset, event)
      }
    }
  }

  private mutating func takePreface(
    _ bytes: Span<UInt8>, at offset: inout Int, matched: Int
  ) throws(ConnectionError) -> Step {
    var matched = matched
    for expected in "\(ControlOutput.preface)".utf8.dropFirst(matched) {
      guard offset < bytes.count else {
        reading = .preface(matched: matched)
        return .needsMore
      }
      guard bytes[offset] == expected else { throw .prefaceMalformed }
      offset += 1
      matched += 1
    }
    reading = .frame
    return .advanced
  }

  private mutating func skip(_ left: Int, of bytes: Span<UInt8>, at offset: inout Int) -> Step {
    let taken = min(left, bytes.count - offset)
    offset += taken
    guard taken == left else {
      reading = .skip(left: left - taken)
      return .needsMore
    }
    reading = .frame
    return .advanced
  }

  /// The rest of a frame that nobody wants, perhaps nothing.
  mutating func skipRest(_ count: Int) {
    reading = count > 0 ? .skip(left: count) : .frame
  }
}
