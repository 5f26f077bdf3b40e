import Testing

@testable import HBONE

private struct Row: CustomTestStringConvertible, Sendable {
  var says: String
  var fields: [(String, String)]
  /// Nil: malformed.
  var request: ConnectRequest?
  var testDescription: String { says }
}

private let method = (":method", "CONNECT")
private let authority = (":authority", "10.0.0.7:80")

private let requests: [Row] = [
  Row(
    says: "what ztunnel sends", fields: [method, authority, ("baggage", "")],
    request: ConnectRequest(
      authority: "10.0.0.7:80", headers: [HeaderField(name: "baggage", value: "")])),
  Row(
    says: "the pseudo-headers the other way round", fields: [authority, method],
    request: ConnectRequest(authority: "10.0.0.7:80")),
  Row(
    says: "another method",
    fields: [(":method", "GET"), (":scheme", "http"), (":path", "/"), (":authority", "a")],
    request: ConnectRequest(authority: "a", fault: .methodNotConnect("GET"))),
  Row(
    says: "no authority", fields: [method],
    request: ConnectRequest(authority: "", fault: .authorityMissing)),
  Row(
    says: "an empty authority", fields: [method, (":authority", "")],
    request: ConnectRequest(authority: "", fault: .authorityMissing)),
  Row(
    says: "te: trailers", fields: [method, authority, ("te", "trailers")],
    request: ConnectRequest(
      authority: "10.0.0.7:80", headers: [HeaderField(name: "te", value: "trailers")])),
  Row(says: "no method", fields: [authority]),
  Row(says: "no header at all", fields: []),
  Row(says: "a scheme", fields: [method, authority, (":scheme", "https")]),
  Row(says: "a path", fields: [method, authority, (":path", "/")]),
  Row(says: "extended CONNECT", fields: [method, authority, (":protocol", "websocket")]),
  Row(says: "an unknown pseudo-header", fields: [method, authority, (":x", "y")]),
  Row(says: "a status in a request", fields: [method, authority, (":status", "200")]),
  Row(says: "a second method", fields: [method, method, authority]),
  Row(says: "a second authority", fields: [method, authority, authority]),
  Row(says: "a pseudo-header after a regular one", fields: [method, ("x", "y"), authority]),
  Row(says: "an upper-case name", fields: [method, authority, ("Baggage", "a=b")]),
  Row(says: "connection", fields: [method, authority, ("connection", "close")]),
  Row(says: "transfer-encoding", fields: [method, authority, ("transfer-encoding", "chunked")]),
  Row(says: "upgrade", fields: [method, authority, ("upgrade", "h2c")]),
  Row(says: "keep-alive", fields: [method, authority, ("keep-alive", "5")]),
  Row(says: "proxy-connection", fields: [method, authority, ("proxy-connection", "close")]),
  Row(says: "te: gzip", fields: [method, authority, ("te", "gzip")]),
  Row(says: "a line end in a value", fields: [method, authority, ("x", "a\r\nb")]),
  Row(says: "a NUL in the authority", fields: [method, (":authority", "10.0.0.7:80\0")]),
  Row(says: "GET without a path", fields: [(":method", "GET"), (":scheme", "http"), authority]),
]

@Suite struct `CONNECT requests` {
  @Test(arguments: requests)
  private func `are taken, faulted or malformed`(row: Row) throws {
    let machine = try Machine.greeted(.server)
    let events = try machine.feed(.headers(1, row.fields))
    if let request = row.request {
      #expect(events == [.connectRequest(StreamID(1), request)])
    } else {
      #expect(events.isEmpty)
      #expect(machine.output() == [.reset(1, .protocolError)])
      #expect(machine.liveStreams == 0)
    }
  }

  @Test(
    arguments: [
      ([(":status", "200")], 200), ([(":status", "599")], 599), ([(":status", "99")], nil),
      ([(":status", "600")], nil), ([(":status", "2000")], nil), ([(":status", "+20")], nil),
      ([(":status", "101")], nil), ([], nil), ([(":status", "200"), (":status", "200")], nil),
      ([("x", "y"), (":status", "200")], nil), ([(":status", "200"), (":path", "/")], nil),
      ([(":status", "200"), ("connection", "close")], nil),
    ] as [([(String, String)], UInt16?)])
  func `answers have exactly one status of three digits`(
    fields: [(String, String)], status: UInt16?
  ) throws {
    let machine = try Machine.greeted(.client)
    _ = machine.open()
    let events = try machine.feed(.headers(1, fields))
    if let status {
      #expect(events == [.response(StreamID(1), Response(status: status))])
    } else {
      #expect(events == [.reset(StreamID(1), .protocolError)])
    }
  }
}
