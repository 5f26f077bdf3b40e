/// The sixty-one headers both sides know from the start.
///
/// Source: RFC 7541, appendix A.
enum StaticTable {
  static let count = 61
  /// The first of them, whose names begin with a colon.
  static let pseudoCount = 14

  /// Header number `index + 1`.
  static let entries: [TableEntry] =
    pseudo.map { TableEntry(name: $0.0, value: $0.1) }
    + names.map { TableEntry(name: $0, value: $0 == "accept-encoding" ? "gzip, deflate" : "") }

  private static let pseudo: [(String, String)] = [
    (":authority", ""), (":method", "GET"), (":method", "POST"), (":path", "/"),
    (":path", "/index.html"), (":scheme", "http"), (":scheme", "https"), (":status", "200"),
    (":status", "204"), (":status", "206"), (":status", "304"), (":status", "400"),
    (":status", "404"), (":status", "500"),
  ]

  private static let names = [
    "accept-charset", "accept-encoding", "accept-language", "accept-ranges", "accept",
    "access-control-allow-origin", "age", "allow", "authorization", "cache-control",
    "content-disposition", "content-encoding", "content-language", "content-length",
    "content-location", "content-range", "content-type", "cookie", "date", "etag", "expect",
    "expires", "from", "host", "if-match", "if-modified-since", "if-none-match", "if-range",
    "if-unmodified-since", "last-modified", "link", "location", "max-forwards",
    "proxy-authenticate", "proxy-authorization", "range", "referer", "refresh", "retry-after",
    "server", "set-cookie", "strict-transport-security", "transfer-encoding", "user-agent",
    "vary", "via", "www-authenticate",
  ]
}
