/// Why a stream or a connection ended, as both sides say it on the wire.
///
/// Source: RFC 9113, section 7.
public enum ErrorCode: UInt32, Sendable {
  case noError = 0x0
  case protocolError = 0x1
  case internalError = 0x2
  case flowControlError = 0x3
  case settingsTimeout = 0x4
  case streamClosed = 0x5
  case frameSizeError = 0x6
  case refusedStream = 0x7
  case cancel = 0x8
  case compressionError = 0x9
  case connectError = 0xa
  case enhanceYourCalm = 0xb
  case inadequateSecurity = 0xc
  case http11Required = 0xd

  /// Reads a code; one that nobody knows counts as an internal error, as the RFC allows.
  public init(wire: UInt32) {
    self = ErrorCode(rawValue: wire) ?? .internalError
  }
}
