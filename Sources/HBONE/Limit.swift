/// Every bound a peer can run into, in one place, with the class of attack it answers.
///
/// The bursts are far above what Envoy, ztunnel, nghttp2 and Go peers do; pings every 10 s, one
/// WINDOW_UPDATE per DATA frame or one-byte messages at 200 000 a second never come near them.
public enum Limit {
  // MARK: Memory

  /// Bytes of the client's settings, SETTINGS_MAX_HEADER_LIST_SIZE, for answers.
  public static let clientHeaderListBytes = 16 << 10
  /// The same for requests at a server; HPACK bombs (CVE-2016-1544, CVE-2016-6581).
  public static let serverHeaderListBytes = 64 << 10
  /// Fields in one header list, beyond which it counts as too large.
  public static let headersPerList = 256
  /// Bytes of one compressed header block over all its frames; CONTINUATION floods
  /// (CVE-2024-27316, CVE-2024-27983, CVE-2023-45288).
  public static let headerBlockBytes = 64 << 10
  /// CONTINUATION frames of one header block; the same class, with small or empty frames.
  public static let continuationsPerBlock = 64
  /// The largest integer HPACK may spell, far above any length that fits into a block.
  public static let compressedInteger = 1 << 28
  /// Bytes our encoder remembers, whatever the peer would let it.
  public static let encoderTableBytes = 4_096
  /// Entries of one SETTINGS frame; settings floods (CVE-2020-11080, CVE-2019-9515).
  public static let settingsPerFrame = 64
  /// Bytes that must lie in one piece for `receive` to go on: a frame header and the longest
  /// payload that is not taken piecemeal, a SETTINGS frame.
  public static let contiguousBytes = FrameHeader.size + 6 * settingsPerFrame
  /// Unwritten control bytes at which a peer that does not read is given up: PING, SETTINGS and
  /// reset floods against a full socket (CVE-2019-9512, CVE-2019-9514, CVE-2019-9515).
  public static let controlBacklogBytes = 256 << 10
  /// Streams we reset for which late frames of the peer are dropped in silence.
  public static let rememberedResets = 512
  /// Streams the caller still holds, as a multiple of the stream cap, beyond which a server
  /// refuses new ones though the peer has reset the old; rapid reset (CVE-2023-44487).
  public static let heldStreamsPerCap = 2
  /// Streams a client may open before it has acknowledged our cap, which does not bind it until then
  /// (RFC 9113, section 6.5.3): what Envoy opens on a fresh connection when many wait for it.
  public static let streamsBeforeAcknowledgement = 1_024
  /// Streams a client opens before it knows the server's cap: with a second one it could be past it,
  /// and servers end the whole connection for that.
  public static let streamsBeforeSettings = 1
  /// Streams a client has open at once, whatever the server would let it.
  public static let openedStreams = 1_000
  /// The largest DATA frame this side sends, in payload bytes.
  public static let sentFrameBytes = 1 << 20
  /// Bytes of a CONNECT authority: a name of 253, a dot, a colon, five digits.
  public static let authorityBytes = 260

  // MARK: Rates

  /// Streams a client resets before it has an answer; rapid reset (CVE-2023-44487).
  public static let earlyResets = Rate(burst: 1_000, perSecond: 200)
  /// All other resets by the peer; RST storms (CVE-2019-9514).
  public static let resets = Rate(burst: 20_000, perSecond: 10_000)
  /// Streams refused above the cap.
  public static let refusals = Rate(burst: 1_000, perSecond: 200)
  /// Stream errors that the peer makes us answer with RST_STREAM; MadeYouReset (CVE-2025-8671).
  public static let streamErrors = Rate(burst: 200, perSecond: 20)
  /// SETTINGS and GOAWAY frames; settings floods (CVE-2019-9515).
  public static let settings = Rate(burst: 100, perSecond: 10)
  /// PING frames, asked or answered; ping floods (CVE-2019-9512).
  public static let pings = Rate(burst: 1_000, perSecond: 100)
  /// DATA without payload and without END_STREAM, DATA that is more padding than payload, empty
  /// header fragments; empty-frame floods (CVE-2019-9518).
  public static let emptyFrames = Rate(burst: 1_000, perSecond: 100)
  /// DATA of fewer than `tinyFrameBytes`: a rate no honest sender reaches, since it would send
  /// what piles up in one frame.
  public static let tinyFrames = Rate(burst: 200_000, perSecond: 500_000)
  public static let tinyFrameBytes = 16
  /// PRIORITY, frames of unknown type, informational answers; resource loops (CVE-2019-9513).
  public static let ignoredFrames = Rate(burst: 1_000, perSecond: 100)
  /// WINDOW_UPDATE frames; each DATA frame sent pays for one on the stream and one on the
  /// connection, the rate is for the rest.
  public static let windowUpdates = Rate(burst: 10_000, perSecond: 1_000)
  /// WINDOW_UPDATE frames that leave a window below `dribbleBytes`; data dribble (CVE-2019-9511).
  public static let dribbles = Rate(burst: 1_000, perSecond: 100)
  public static let dribbleBytes = 16
}

/// So many at once, and so many each second after that.
public struct Rate: Equatable, Sendable {
  public let burst: Int
  public let perSecond: Int

  init(burst: Int, perSecond: Int) {
    self.burst = burst
    self.perSecond = perSecond
  }

  /// Nanoseconds in which one use is earned back.
  var interval: UInt64 { 1_000_000_000 / UInt64(perSecond) }
}
