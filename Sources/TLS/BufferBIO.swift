import COpenSSL
import Linux

/// OpenSSL's transport: reads from `incoming`, appends to `outgoing`, never blocks on a write.
enum BufferBIO {
  /// The one set of callbacks, made once and kept; nil when OpenSSL has no memory.
  private nonisolated(unsafe) static let method: OpaquePointer? = {
    let type = BIO_get_new_index() | BIO_TYPE_SOURCE_SINK
    guard Library.isReady, let method = unsafe BIO_meth_new(type, "skein buffers") else {
      return nil
    }
    unsafe BIO_meth_set_read_ex(method, readIncoming)
    unsafe BIO_meth_set_write_ex(method, appendOutgoing)
    unsafe BIO_meth_set_ctrl(method, control)
    return unsafe method
  }()

  static func make(for exchange: UnsafeMutablePointer<Exchange>) -> OpaquePointer? {
    guard let method = unsafe method, let bio = unsafe BIO_new(method) else { return nil }
    unsafe BIO_set_data(bio, exchange)
    unsafe BIO_set_init(bio, 1)
    return unsafe bio
  }
}

private func exchange(behind bio: OpaquePointer?) -> UnsafeMutablePointer<Exchange> {
  guard let exchange = unsafe BIO_get_data(bio) else {
    preconditionFailure("a BIO without its exchange")
  }
  return unsafe exchange.assumingMemoryBound(to: Exchange.self)
}

private func readIncoming(
  _ bio: OpaquePointer?, _ target: UnsafeMutablePointer<CChar>?, _ wanted: Int,
  _ count: UnsafeMutablePointer<Int>?
) -> CInt {
  unsafe copenssl_clear_retry(bio)
  let exchange = unsafe exchange(behind: bio)
  guard unsafe exchange.pointee.failure == nil else { return 0 }
  guard let incoming = unsafe exchange.pointee.incoming, let target = unsafe target else {
    unsafe copenssl_retry_read(bio)
    return 0
  }
  let taken = unsafe min(wanted, incoming.pointee.readable.count)
  guard taken > 0 else {
    unsafe copenssl_retry_read(bio)
    return 0
  }
  unsafe incoming.pointee.readable.withUnsafeBytes { bytes in
    guard let start = bytes.baseAddress else { return }
    unsafe UnsafeMutableRawPointer(target).copyMemory(from: start, byteCount: taken)
  }
  unsafe incoming.pointee.consume(taken)
  unsafe count?.pointee = taken
  if unsafe !exchange.pointee.isEstablished {
    unsafe exchange.pointee.handshakeBytes += taken
    if unsafe exchange.pointee.handshakeBytes > TLSLimit.bytesPerHandshake {
      unsafe exchange.pointee.fail(.handshakeTooLarge(bytes: TLSLimit.bytesPerHandshake))
    }
  }
  return 1
}

private func appendOutgoing(
  _ bio: OpaquePointer?, _ source: UnsafePointer<CChar>?, _ offered: Int,
  _ count: UnsafeMutablePointer<Int>?
) -> CInt {
  unsafe copenssl_clear_retry(bio)
  guard let outgoing = unsafe exchange(behind: bio).pointee.outgoing,
    let source = unsafe source
  else {
    preconditionFailure("OpenSSL wrote \(offered) bytes outside a call")
  }
  unsafe outgoing.pointee.append(UnsafeRawBufferPointer(start: source, count: offered))
  unsafe count?.pointee = offered
  return 1
}

private func control(
  _ bio: OpaquePointer?, _ command: CInt, _ number: Int, _ pointer: UnsafeMutableRawPointer?
) -> Int {
  command == BIO_CTRL_FLUSH ? 1 : 0
}

extension Buffer {
  /// Appends what OpenSSL gave us, growing as needed.
  fileprivate mutating func append(_ bytes: UnsafeRawBufferPointer) {
    guard let source = bytes.baseAddress else { return }
    ensureFree(bytes.count)
    var space = free
    unsafe space.withUnsafeMutableBytes { target in
      unsafe target.baseAddress?.copyMemory(from: source, byteCount: bytes.count)
    }
    filled(bytes.count)
  }
}
