import CNGHTTP2
import Testing

@testable import HBONE

/// An nghttp2 session in memory: the public implementation, as the peer of our machine.
///
/// As a server it answers each CONNECT with 200 and echoes; as a client it sends what it is told.
/// Safe because the session lives exactly as long as this object, which it knows as user data.
@safe final class Oracle {
  /// What has come on a stream, and what waits to be sent.
  struct Exchange {
    var headers: [String: String] = [:]
    var received: [UInt8] = []
    var outgoing: [UInt8] = []
    var isOutgoingEnd = false
    var hasReceivedEnd = false
    var closedWith: UInt32?
  }

  var exchanges: [Int32: Exchange] = [:]
  var frames: [(type: UInt8, stream: Int32)] = []
  var goAway: (last: Int32, code: UInt32)?
  let role: Role
  private var session: OpaquePointer?

  init(_ role: Role, settings: [(id: Int32, value: UInt32)] = []) throws {
    self.role = role
    var callbacks: OpaquePointer?
    unsafe try #require(nghttp2_session_callbacks_new(&callbacks) == 0)
    defer { unsafe nghttp2_session_callbacks_del(callbacks) }
    unsafe Self.install(callbacks)
    let user = unsafe Unmanaged.passUnretained(self).toOpaque()
    switch role {
    case .client: unsafe nghttp2_session_client_new(&session, callbacks, user)
    case .server: unsafe nghttp2_session_server_new(&session, callbacks, user)
    }
    try submitSettings(settings)
  }

  deinit { unsafe nghttp2_session_del(session) }

  func submitSettings(_ settings: [(id: Int32, value: UInt32)]) throws {
    let entries = settings.map { nghttp2_settings_entry(settings_id: $0.id, value: $0.value) }
    try #require(
      unsafe nghttp2_submit_settings(
        session, UInt8(NGHTTP2_FLAG_NONE.rawValue), entries, entries.count) == 0)
  }

  /// Takes bytes as they would come from a socket.
  func receive(_ bytes: [UInt8]) throws {
    let taken = unsafe nghttp2_session_mem_recv(session, bytes, bytes.count)
    try #require(
      taken == bytes.count,
      "nghttp2 refused: \(unsafe String(cString: nghttp2_strerror(Int32(taken))))")
  }

  /// All it wants to send now.
  func send() throws -> [UInt8] {
    var output: [UInt8] = []
    while true {
      var start: UnsafePointer<UInt8>?
      let count = unsafe nghttp2_session_mem_send(session, &start)
      try #require(count >= 0)
      if count == 0 { return output }
      unsafe output += UnsafeBufferPointer(start: start, count: count)
    }
  }

  func connect(_ authority: String, headers: [(String, String)] = []) throws -> Int32 {
    var source = unsafe Self.source
    let stream = unsafe try withHeaders(
      [(":method", "CONNECT"), (":authority", authority)] + headers
    ) {
      unsafe nghttp2_submit_request(session, nil, $0, $1, &source, nil)
    }
    try #require(stream > 0)
    exchanges[stream] = Exchange()
    return stream
  }

  func respond(_ stream: Int32, status: String, headers: [(String, String)] = []) throws {
    var source = unsafe Self.source
    let code = unsafe try withHeaders([(":status", status)] + headers) {
      unsafe nghttp2_submit_response(session, stream, $0, $1, &source)
    }
    try #require(code == 0)
  }

  func write(_ stream: Int32, _ bytes: [UInt8], isEnd: Bool = false) {
    exchanges[stream]?.outgoing += bytes
    if isEnd { exchanges[stream]?.isOutgoingEnd = true }
    unsafe nghttp2_session_resume_data(session, stream)
  }

  func reset(_ stream: Int32, _ code: ErrorCode) {
    unsafe nghttp2_submit_rst_stream(session, 0, stream, code.rawValue)
  }

  func announceShutdown() { unsafe nghttp2_submit_shutdown_notice(session) }

  func terminate(_ code: ErrorCode) {
    unsafe nghttp2_session_terminate_session(session, code.rawValue)
  }

  func ping() { unsafe nghttp2_submit_ping(session, 0, nil) }

  /// Nothing left to read or write: both sides know of the end.
  var isOver: Bool {
    unsafe nghttp2_session_want_read(session) == 0 && nghttp2_session_want_write(session) == 0
  }

  private func withHeaders<R>(
    _ fields: [(String, String)], _ body: (UnsafePointer<nghttp2_nv>, Int) -> R
  ) throws -> R {
    var bytes: [UInt8] = fields.flatMap { Array($0.0.utf8) + Array($0.1.utf8) }
    return unsafe bytes.withUnsafeMutableBufferPointer { storage in
      var offset = 0
      let pairs = unsafe fields.map { name, value in
        let pair = unsafe nghttp2_nv(
          name: storage.baseAddress.map { unsafe $0 + offset },
          value: storage.baseAddress.map { unsafe $0 + offset + name.utf8.count },
          namelen: name.utf8.count, valuelen: value.utf8.count,
          flags: UInt8(NGHTTP2_NV_FLAG_NONE.rawValue))
        offset += name.utf8.count + value.utf8.count
        return unsafe pair
      }
      return unsafe body(pairs, pairs.count)
    }
  }
}

/// The object behind a session's user data.
private func oracle(_ user: UnsafeMutableRawPointer?) -> Oracle {
  guard let user = unsafe user else { preconditionFailure("a session without its oracle") }
  return unsafe Unmanaged<Oracle>.fromOpaque(user).takeUnretainedValue()
}

extension Oracle {
  private static func install(_ callbacks: OpaquePointer?) {
    unsafe nghttp2_session_callbacks_set_on_header_callback(callbacks) {
      _, frame, name, nameCount, value, valueCount, _, user in
      guard let frame = unsafe frame?.pointee else { return 0 }
      let name = unsafe String(
        decoding: UnsafeBufferPointer(start: name, count: nameCount), as: UTF8.self)
      let value = unsafe String(
        decoding: UnsafeBufferPointer(start: value, count: valueCount), as: UTF8.self)
      unsafe oracle(user).exchanges[frame.hd.stream_id, default: Exchange()].headers[name] = value
      return 0
    }
    unsafe nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks) {
      _, _, stream, bytes, count, user in
      let bytes = unsafe Array(UnsafeBufferPointer(start: bytes, count: count))
      let oracle = unsafe oracle(user)
      oracle.exchanges[stream, default: Exchange()].received += bytes
      if oracle.role == .server { oracle.write(stream, bytes) }
      return 0
    }
    unsafe nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks) { _, frame, user in
      guard let frame = unsafe frame?.pointee else { return 0 }
      return unsafe oracle(user).received(frame)
    }
    unsafe nghttp2_session_callbacks_set_on_stream_close_callback(callbacks) {
      _, stream, code, user in
      unsafe oracle(user).exchanges[stream]?.closedWith = code
      return 0
    }
  }

  fileprivate func received(_ frame: nghttp2_frame) -> Int32 {
    let header = unsafe frame.hd
    frames.append((header.type, header.stream_id))
    if header.type == FrameType.goAway.rawValue {
      goAway = unsafe (frame.goaway.last_stream_id, frame.goaway.error_code)
    }
    do {
      if role == .server, header.type == FrameType.headers.rawValue,
        exchanges[header.stream_id]?.headers[":method"] == "CONNECT"
      {
        try respond(header.stream_id, status: "200", headers: [("baggage", "service.name=echo")])
      }
    } catch {
      return NGHTTP2_ERR_CALLBACK_FAILURE.rawValue
    }
    if header.flags & UInt8(NGHTTP2_FLAG_END_STREAM.rawValue) != 0,
      header.type <= FrameType.headers.rawValue
    {
      exchanges[header.stream_id]?.hasReceivedEnd = true
      if role == .server { write(header.stream_id, [], isEnd: true) }
    }
    return 0
  }

  /// Hands nghttp2 what waits on a stream.
  private static var source: nghttp2_data_provider {
    var provider = unsafe nghttp2_data_provider()
    unsafe provider.read_callback = { _, stream, output, room, flags, _, user in
      let oracle = unsafe oracle(user)
      guard let exchange = oracle.exchanges[stream] else { return 0 }
      let count = min(room, exchange.outgoing.count)
      guard count > 0 || exchange.isOutgoingEnd else {
        return Int(NGHTTP2_ERR_DEFERRED.rawValue)
      }
      for index in 0..<count { unsafe output?[index] = exchange.outgoing[index] }
      oracle.exchanges[stream]?.outgoing.removeFirst(count)
      if count == exchange.outgoing.count, exchange.isOutgoingEnd {
        unsafe flags?.pointee |= UInt32(NGHTTP2_DATA_FLAG_EOF.rawValue)
      }
      return count
    }
    return unsafe provider
  }
}
