/// The descriptors that travel with one frame, owned until taken or sent.
public struct DescriptorList: ~Copyable, Sendable {
  public enum Limit {
    /// Descriptors beside one frame: a namespace and six listeners, and one to spare.
    public static let perFrame = 8
  }

  private var numbers: [8 of CInt] = [-1, -1, -1, -1, -1, -1, -1, -1]
  private var first = 0
  private var end = 0

  public init() {}

  deinit {
    for index in first..<end { _ = OwnedDescriptor(adopting: numbers[index]) }
  }

  public var count: Int { end - first }
  public var isEmpty: Bool { first == end }

  /// What a system call is shown; the list stays the owner.
  func withNumbers<Result>(_ body: (Span<CInt>) -> Result) -> Result {
    body(numbers.span.extracting(first..<end))
  }

  /// Traps beyond `Limit.perFrame`: the caller knows its frames.
  public mutating func append(_ descriptor: consuming OwnedDescriptor) {
    precondition(end < Limit.perFrame, "more than \(Limit.perFrame) descriptors in one frame")
    numbers[end] = descriptor.release()
    end += 1
  }

  /// Appends another descriptor of the same open file; the caller keeps its own.
  public mutating func append(copying descriptor: borrowing OwnedDescriptor) throws(LinuxError) {
    append(try descriptor.duplicate())
  }

  /// Appends another descriptor of the same open file; the caller keeps its own.
  public mutating func append(copying socket: borrowing Socket) throws(LinuxError) {
    append(try socket.descriptor.duplicate())
  }

  /// The first descriptor not yet taken, in the order they were sent; nil when none is left.
  public mutating func takeFirst() -> OwnedDescriptor? {
    guard first < end else { return nil }
    defer { first += 1 }
    return OwnedDescriptor(adopting: numbers[first])
  }
}
