/// Bytes the machine wants on the wire: everything but DATA.
///
/// Write them before any DATA frame whose header was made later, then remove them.
public struct ControlOutput: ~Copyable {
  var storage: [UInt8] = []

  init() {}

  public var isEmpty: Bool { storage.isEmpty }
  public var count: Int { storage.count }

  public var bytes: Span<UInt8> {
    @_lifetime(borrow self)
    borrowing get { storage.span }
  }

  public func withBytes<R: ~Copyable, E: Error>(
    _ body: (Span<UInt8>) throws(E) -> R
  ) throws(E) -> R {
    try body(storage.span)
  }

  /// Forgets what was written; without its capacity an idle connection holds no memory here.
  public mutating func removeAll(keepingCapacity: Bool = true) {
    storage.removeAll(keepingCapacity: keepingCapacity)
  }
}
