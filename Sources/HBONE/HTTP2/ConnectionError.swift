/// What the peer did that no stream survives; the GOAWAY is already among the control bytes.
public enum ConnectionError: Error, Equatable, Sendable {
  /// The connection does not start with HTTP/2's preface: not an HTTP/2 client.
  case prefaceMalformed
  /// The first frame is not SETTINGS.
  case settingsMissing(FrameType)
  case frameTooLarge(FrameType, length: Int, limit: Int)
  case frameSizeInvalid(FrameType, length: Int)
  case paddingTooLong(FrameType)
  /// Stream 0 where a stream is needed, or a stream where there must be none.
  case streamMisplaced(FrameType, StreamID)
  /// A frame on a stream that nobody has opened.
  case streamIdle(FrameType, StreamID)
  /// Opened by the wrong side, or numbered below one that is already there.
  case streamNumberInvalid(StreamID)
  /// Anything but the CONTINUATION a header block still needs.
  case continuationMissing(FrameType)
  case continuationUnexpected
  case pushPromise
  case settingInvalid(UInt16, value: UInt32)
  case settingsAcknowledgementUnexpected
  /// An increment of zero for the connection.
  case windowIncrementZero
  /// A send window above 2^31 - 1 bytes.
  case windowOverflow
  /// More DATA than the connection window lets through.
  case windowExceeded
  case compression(CompressionError)
  case abuse(Abuse)

  /// Which of the named limits the peer ran into.
  public enum Abuse: String, Sendable {
    case headerBlockTooLong
    case tooManyContinuations
    case tooManySettings
    case rapidReset
    case resetStorm
    case tooManyRefusals
    case tooManyStreamErrors
    case settingsFlood
    case pingFlood
    case emptyFrameFlood
    case tinyFrameFlood
    case ignoredFrameFlood
    case windowUpdateFlood
    case windowDribble
    case controlBacklog
  }

  /// What GOAWAY says.
  public var code: ErrorCode {
    switch self {
    case .frameTooLarge, .frameSizeInvalid: .frameSizeError
    case .settingInvalid(SettingID.initialWindowSize.rawValue, _): .flowControlError
    case .windowOverflow, .windowExceeded: .flowControlError
    case .compression: .compressionError
    case .abuse: .enhanceYourCalm
    case .prefaceMalformed, .settingsMissing, .paddingTooLong, .streamMisplaced, .streamIdle,
      .streamNumberInvalid, .continuationMissing, .continuationUnexpected, .pushPromise,
      .settingInvalid, .settingsAcknowledgementUnexpected, .windowIncrementZero:
      .protocolError
    }
  }

  /// One word without data, for metrics and the debug text of GOAWAY.
  public var label: String {
    switch self {
    case .prefaceMalformed: "preface_malformed"
    case .settingsMissing: "settings_missing"
    case .frameTooLarge: "frame_too_large"
    case .frameSizeInvalid: "frame_size_invalid"
    case .paddingTooLong: "padding_too_long"
    case .streamMisplaced: "stream_misplaced"
    case .streamIdle: "stream_idle"
    case .streamNumberInvalid: "stream_number_invalid"
    case .continuationMissing: "continuation_missing"
    case .continuationUnexpected: "continuation_unexpected"
    case .pushPromise: "push_promise"
    case .settingInvalid: "setting_invalid"
    case .settingsAcknowledgementUnexpected: "settings_acknowledgement_unexpected"
    case .windowIncrementZero: "window_increment_zero"
    case .windowOverflow: "window_overflow"
    case .windowExceeded: "window_exceeded"
    case .compression: "compression"
    case .abuse(let abuse): abuse.rawValue
    }
  }
}

extension ConnectionError: CustomStringConvertible {
  public var description: String {
    switch self {
    case .prefaceMalformed:
      "the peer does not speak HTTP/2: its first bytes are not the preface"
    case .abuse(let abuse):
      "the peer ran into a limit (\(abuse.rawValue)); see Limit for its number"
    case .settingsMissing, .frameTooLarge, .frameSizeInvalid, .paddingTooLong, .streamMisplaced,
      .streamIdle, .streamNumberInvalid, .continuationMissing, .continuationUnexpected,
      .pushPromise, .settingInvalid, .settingsAcknowledgementUnexpected, .windowIncrementZero,
      .windowOverflow, .windowExceeded, .compression:
      "the peer broke HTTP/2 (\(label)): \(detail)"
    }
  }

  private var detail: String {
    switch self {
    case .frameTooLarge(let type, let length, let limit):
      "a frame of type \(type.rawValue) has \(length) bytes, \(limit) are allowed"
    case .frameSizeInvalid(let type, let length):
      "a frame of type \(type.rawValue) cannot have \(length) bytes"
    case .streamMisplaced(let type, let stream), .streamIdle(let type, let stream):
      "a frame of type \(type.rawValue) on stream \(stream)"
    case .settingsMissing(let type), .continuationMissing(let type), .paddingTooLong(let type):
      "a frame of type \(type.rawValue)"
    case .streamNumberInvalid(let stream): "stream \(stream)"
    case .settingInvalid(let id, let value): "setting \(id) = \(value)"
    case .compression(let error): "\(error)"
    case .prefaceMalformed, .continuationUnexpected, .pushPromise, .windowIncrementZero,
      .settingsAcknowledgementUnexpected, .windowOverflow, .windowExceeded, .abuse:
      "RFC 9113"
    }
  }
}
