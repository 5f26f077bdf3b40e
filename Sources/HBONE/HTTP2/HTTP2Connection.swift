public import MeshModel

/// One HTTP/2 connection that carries CONNECT tunnels, as a value.
public struct HTTP2Connection: ~Copyable {
  public let role: Role
  public var control = ControlOutput()
  /// Streams the caller has not yet called ``closed(_:)`` for.
  public var liveStreams: Int { 0 }
  /// Either side has said GOAWAY: no new streams here.
  public var isDraining: Bool { false }

  public init(role: Role, settings: LocalSettings = .default, at now: Instant) {
    self.role = role
  }

  public mutating func receive(
    _ bytes: Span<UInt8>, at now: Instant
  ) throws(ConnectionError) -> (consumed: Int, event: Event?) {
    preconditionFailure("being written")
  }

  /// Nil at the peer's stream cap, or when the connection takes no new streams.
  public mutating func open(authority: String, headers: [HeaderField]) -> StreamID? {
    preconditionFailure("being written")
  }

  /// Answers a CONNECT; does nothing when the client has reset the stream meanwhile.
  public mutating func respond(
    _ stream: StreamID, status: UInt16, headers: [HeaderField], endStream: Bool
  ) {
    preconditionFailure("being written")
  }

  /// How many bytes the next DATA frame may carry: min(stream window, connection window, frame).
  public func sendCredit(_ stream: StreamID) -> Int { 0 }

  /// False once this side has ended or reset the stream or the peer has reset it.
  public func canSend(_ stream: StreamID) -> Bool { false }

  public mutating func writeDataHeader(
    _ stream: StreamID, count: Int, endStream: Bool
  ) -> [9 of UInt8] {
    preconditionFailure("being written")
  }

  public mutating func consumed(_ stream: StreamID, count: Int) {
    preconditionFailure("being written")
  }

  public mutating func reset(_ stream: StreamID, _ code: ErrorCode) {
    preconditionFailure("being written")
  }

  /// With `.noError` a graceful drain; with any other code at once.
  public mutating func goAway(_ code: ErrorCode) {
    preconditionFailure("being written")
  }

  public mutating func ping(_ payload: UInt64) {
    preconditionFailure("being written")
  }

  /// The caller is finished with the stream; one that is still open is reset.
  public mutating func closed(_ stream: StreamID) {
    preconditionFailure("being written")
  }
}

public struct ConnectionError: Error, Equatable, Sendable {
  public var code: ErrorCode
}
