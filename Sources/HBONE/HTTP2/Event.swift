/// What the peer did that the caller must know of.
public enum Event: Equatable, Sendable {
  /// Bytes of a tunnel lie in the span that was given, `count` from `offset`.
  ///
  /// They count against the windows until ``HTTP2Connection/consumed(_:count:)`` gives them back.
  /// One frame may come in several pieces. With `isEnd` the peer has finished sending on this
  /// stream; `count` may be 0 then.
  case data(StreamID, offset: Int, count: Int, isEnd: Bool)

  /// A client asks for a tunnel; answer with ``HTTP2Connection/respond(_:status:headers:endStream:)``.
  case connectRequest(StreamID, ConnectRequest)

  /// The server's answer to a CONNECT; informational (1xx) answers are skipped.
  case response(StreamID, Response)

  /// The stream is over: the peer reset it, did something it must not, or refused it (GOAWAY).
  ///
  /// No event for this stream follows. Call ``HTTP2Connection/closed(_:)`` when done with it.
  case reset(StreamID, ErrorCode)

  /// Sending is possible again after credit had run out: on one stream, or (nil) on the connection,
  /// in which case every waiting stream may try.
  case windowOpened(StreamID?)

  /// The peer takes no new streams beyond `lastStream`; those up to it run on.
  ///
  /// Streams of ours above it have each had a `reset(_, .refusedStream)` before: safe to retry.
  case goAway(lastStream: StreamID, ErrorCode)

  /// The answer to ``HTTP2Connection/ping(_:)``, with its payload.
  case pingAcknowledged(UInt64)

  /// The peer's settings changed: stream cap, frame size and send windows may differ now, so
  /// every stream that waits for credit may try again.
  case peerSettings
}
