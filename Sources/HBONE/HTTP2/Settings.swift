/// Which end of the connection this is; the client opens the tunnels.
public enum Role: Sendable {
  case client
  case server
}

/// What this side tells the peer at the start, and holds it to.
public struct LocalSettings: Equatable, Sendable {
  /// Bytes a peer may have in flight on one stream.
  public var streamWindow = 4 << 20
  /// Bytes a peer may have in flight on all streams; never below 65 535, where HTTP/2 starts.
  ///
  /// Four times a stream's, so that one stalled reader does not starve the others.
  public var connectionWindow = 16 << 20
  /// The largest frame payload taken, in bytes; 16 384 to 16 777 215.
  public var maxFrameSize = 1 << 20
  /// Streams a client may have open at once; only a server says it.
  public var maxConcurrentStreams = 200
  /// Decoded bytes of one header list, 32 added per field; nil for the role's own number.
  public var maxHeaderListSize: Int?
  /// Bytes of the table in which the peer's encoder may remember headers.
  public var headerTableSize = HTTP2Defaults.headerTableSize

  public init() {}

  public static let `default` = LocalSettings()

  func headerListBytes(for role: Role) -> Int {
    if let maxHeaderListSize { return maxHeaderListSize }
    return switch role {
    case .client: Limit.clientHeaderListBytes
    case .server: Limit.serverHeaderListBytes
    }
  }

  /// In the order they are sent.
  func entries(for role: Role) -> [(id: SettingID, value: Int)] {
    let common: [(id: SettingID, value: Int)] = [
      (.headerTableSize, headerTableSize), (.initialWindowSize, streamWindow),
      (.maxFrameSize, maxFrameSize), (.maxHeaderListSize, headerListBytes(for: role)),
    ]
    return switch role {
    case .client: common + [(.enablePush, 0)]
    case .server: common + [(.maxConcurrentStreams, maxConcurrentStreams)]
    }
  }
}

/// What holds before the first SETTINGS (RFC 9113, sections 6.5.2 and 6.9.2).
public enum HTTP2Defaults {
  public static let headerTableSize = 4_096
  public static let window = 65_535
  public static let frameSize = 16_384
  /// The largest window, and the largest SETTINGS_INITIAL_WINDOW_SIZE.
  public static let largestWindow = 0x7fff_ffff
  public static let largestFrameSize = 0xff_ffff
}

enum SettingID: UInt16, Sendable {
  case headerTableSize = 1
  case enablePush = 2
  case maxConcurrentStreams = 3
  case initialWindowSize = 4
  case maxFrameSize = 5
  case maxHeaderListSize = 6
  /// RFC 8441; we do not use it, but it must be 0 or 1.
  case enableConnectProtocol = 8
  /// RFC 9218; the same.
  case noPriorities = 9
}

/// What the peer has said so far.
struct PeerSettings: Equatable, Sendable {
  var headerTableSize = HTTP2Defaults.headerTableSize
  var maxConcurrentStreams = Limit.streamsBeforeSettings
  var initialWindowSize = HTTP2Defaults.window
  var maxFrameSize = HTTP2Defaults.frameSize
  var hasArrived = false

  /// Takes one entry; an unknown one means nothing to us.
  mutating func apply(
    id: UInt16, value: UInt32, from peer: Role
  ) throws(ConnectionError) {
    guard let setting = SettingID(rawValue: id) else { return }
    let number = Int(value)
    let isValid: Bool
    switch setting {
    case .headerTableSize:
      headerTableSize = number
      isValid = true
    case .enablePush:
      isValid = peer == .server ? value == 0 : value <= 1
    case .maxConcurrentStreams:
      maxConcurrentStreams = number
      isValid = true
    case .initialWindowSize:
      initialWindowSize = number
      isValid = number <= HTTP2Defaults.largestWindow
    case .maxFrameSize:
      maxFrameSize = number
      isValid = (HTTP2Defaults.frameSize...HTTP2Defaults.largestFrameSize).contains(number)
    case .maxHeaderListSize:
      isValid = true
    case .enableConnectProtocol, .noPriorities:
      isValid = value <= 1
    }
    guard isValid else { throw .settingInvalid(id, value: value) }
  }
}
