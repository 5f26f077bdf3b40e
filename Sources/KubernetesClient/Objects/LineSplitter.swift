/// Cuts a stream of bytes into lines, none longer than it should be.
public struct LineSplitter: Sendable {
  private let limit: Int
  private var rest: [UInt8] = []

  public init(limit: Int = Limit.objectBytes) {
    self.limit = limit
  }

  /// Bytes of a line whose end has not come.
  public var waiting: Int { rest.count }

  /// The lines that end in `bytes`; empty ones are left out.
  public mutating func lines(in bytes: [UInt8]) throws(KubernetesError) -> [[UInt8]] {
    var lines: [[UInt8]] = []
    var start = bytes.startIndex
    while let end = bytes[start...].firstIndex(of: UInt8(ascii: "\n")) {
      guard rest.count + (end - start) <= limit else { throw .tooLarge(limit: limit) }
      let line = rest.isEmpty ? Array(bytes[start..<end]) : rest + bytes[start..<end]
      rest.removeAll(keepingCapacity: false)
      if !line.allSatisfy({ $0 == UInt8(ascii: "\r") || $0 == UInt8(ascii: " ") }) {
        lines.append(line)
      }
      start = end + 1
    }
    guard rest.count + (bytes.endIndex - start) <= limit else { throw .tooLarge(limit: limit) }
    rest += bytes[start...]
    return lines
  }
}
