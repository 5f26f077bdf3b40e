/// HBONE: HTTP/2 CONNECT tunnels as values.
///
/// In: the peer's bytes, the caller's wishes, the time. Out: events, and control bytes to write.
/// Never here: a socket, a clock, a thread, TLS, or a copy of anybody's DATA.
///
///     HTTP2/    one connection: frames, streams, flow control, limits against abuse (RFC 9113)
///     HPACK/    header compression, both ways (RFC 7541)
///     Tunnel/   what a CONNECT may look like, and the authority it names (RFC 9113, section 8.5)
///
/// The front door is ``HTTP2Connection``; every number a peer can run into is in ``Limit``.
public enum HBONE {
  /// The only protocol name either side offers in TLS.
  public static let applicationProtocol = "h2"
}
