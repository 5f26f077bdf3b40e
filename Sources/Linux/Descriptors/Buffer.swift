import Glibc

/// A run of bytes, filled at the end and consumed at the front; it grows when asked to.
///
///     | consumed | readable | free |
///     0        start       end   capacity
///
/// Memory comes zeroed, so `free` never shows what another owner left. A buffer of capacity 0 holds
/// no memory. Safe because `start <= end <= capacity` and the storage lives exactly as long as the value.
@safe public struct Buffer: ~Copyable {
  @usableFromInline var storage: UnsafeMutableBufferPointer<UInt8>
  @usableFromInline var start = 0
  @usableFromInline var end = 0

  public init(capacity: Int = 0) {
    unsafe storage = Buffer.allocate(capacity)
  }

  deinit { unsafe Glibc.free(storage.baseAddress) }

  @inlinable public var count: Int { end - start }
  @inlinable public var isEmpty: Bool { start == end }
  @inlinable public var capacity: Int { unsafe storage.count }
  /// Bytes that fit without moving or growing anything.
  @inlinable public var freeCount: Int { unsafe storage.count - end }

  /// The bytes filled and not yet consumed.
  @inlinable public var readable: Span<UInt8> {
    @_lifetime(borrow self)
    borrowing get {
      let bytes = unsafe UnsafeBufferPointer(rebasing: storage[start..<end])
      return unsafe _overrideLifetime(Span(_unsafeElements: bytes), borrowing: self)
    }
  }

  /// The readable bytes, to be written over in place.
  @inlinable public var mutableReadable: MutableSpan<UInt8> {
    @_lifetime(&self)
    mutating get {
      let bytes = unsafe UnsafeMutableBufferPointer(rebasing: storage[start..<end])
      return unsafe _overrideLifetime(MutableSpan(_unsafeElements: bytes), mutating: &self)
    }
  }

  @inlinable public var free: MutableSpan<UInt8> {
    @_lifetime(&self)
    mutating get {
      let bytes = unsafe UnsafeMutableBufferPointer(rebasing: storage[end...])
      return unsafe _overrideLifetime(MutableSpan(_unsafeElements: bytes), mutating: &self)
    }
  }

  /// Says that the first `count` free bytes were written.
  @inlinable public mutating func filled(_ count: Int) {
    precondition(count >= 0 && count <= freeCount, "filled \(count) of \(freeCount)")
    end += count
  }

  @inlinable public mutating func consume(_ count: Int) {
    precondition(count >= 0 && count <= self.count, "consumed \(count) of \(self.count)")
    start += count
    if start == end { (start, end) = (0, 0) }
  }

  /// Takes back the last `count` readable bytes, which become free again.
  @inlinable public mutating func truncate(by count: Int) {
    precondition(count >= 0 && count <= self.count, "truncated \(count) of \(self.count)")
    end -= count
    if start == end { (start, end) = (0, 0) }
  }

  @inlinable public mutating func removeAll() {
    (start, end) = (0, 0)
  }

  /// Makes room for `count` free bytes: moves what is readable to the front, or grows.
  @inlinable public mutating func ensureFree(_ count: Int) {
    if freeCount < count { makeRoom(count) }
  }

  @usableFromInline mutating func makeRoom(_ wanted: Int) {
    let readableCount = count
    let needed = readableCount + wanted
    // Moving more than half the storage for a little room would cost a copy per small step.
    if needed <= capacity && readableCount <= capacity / 2 {
      unsafe storage.baseAddress?.update(
        from: UnsafePointer(storage.baseAddress.unsafelyUnwrapped + start), count: readableCount)
    } else {
      let grown = unsafe Buffer.allocate(max(needed, capacity * 2))
      if readableCount > 0, let source = unsafe storage.baseAddress {
        unsafe grown.baseAddress?.update(from: UnsafePointer(source + start), count: readableCount)
      }
      unsafe Glibc.free(storage.baseAddress)
      unsafe storage = grown
    }
    (start, end) = (0, readableCount)
  }

  /// Gives the memory back when nothing is readable; otherwise does nothing.
  public mutating func release() {
    guard isEmpty, capacity > 0 else { return }
    unsafe Glibc.free(storage.baseAddress)
    unsafe storage = Buffer.allocate(0)
    (start, end) = (0, 0)
  }

  private static func allocate(_ capacity: Int) -> UnsafeMutableBufferPointer<UInt8> {
    precondition(capacity >= 0, "a buffer of \(capacity) bytes")
    if capacity == 0 { return unsafe UnsafeMutableBufferPointer(start: nil, count: 0) }
    guard let memory = unsafe calloc(capacity, 1) else {
      preconditionFailure("no memory for a buffer of \(capacity) bytes")
    }
    let bytes = unsafe memory.bindMemory(to: UInt8.self, capacity: capacity)
    return unsafe UnsafeMutableBufferPointer(start: bytes, count: capacity)
  }
}

extension Buffer {
  public mutating func append(_ bytes: Span<UInt8>) {
    ensureFree(bytes.count)
    unsafe bytes.withUnsafeBufferPointer { source in
      guard let from = source.baseAddress, let to = unsafe storage.baseAddress else { return }
      unsafe (to + end).update(from: from, count: source.count)
    }
    end += bytes.count
  }

  public mutating func append(contentsOf bytes: [UInt8]) {
    append(bytes.span)
  }

  @inlinable public mutating func append(_ byte: UInt8) {
    ensureFree(1)
    unsafe storage[end] = byte
    end += 1
  }
}
