/// Which end of the connection this is; the client opens the tunnels.
public enum Role: Sendable {
  case client
  case server
}

/// What this side tells the peer at the start, and holds it to.
public struct LocalSettings: Equatable, Sendable {
  /// Bytes a peer may have in flight on one stream.
  public var streamWindow = 4 << 20
  /// Bytes a peer may have in flight on all streams; four times a stream's, so that one stalled
  /// reader does not starve the others.
  public var connectionWindow = 16 << 20
  /// The largest frame payload taken, in bytes.
  public var maxFrameSize = 1 << 20
  /// Streams a client may have open at once; only a server says it.
  public var maxConcurrentStreams = 200
  /// Decoded bytes of one header list, 32 added per field; nil for the role's own number.
  public var maxHeaderListSize: Int?
  /// Bytes of the table in which the peer's encoder may remember headers.
  public var headerTableSize = 4_096

  public init() {}

  public static let `default` = LocalSettings()
}
