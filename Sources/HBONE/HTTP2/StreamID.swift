/// The number of a stream: odd, because only clients open streams here, and never reused.
public struct StreamID: Hashable, Comparable, Sendable {
  public let rawValue: UInt32

  public init(_ rawValue: UInt32) {
    self.rawValue = rawValue
  }

  /// The highest number a stream can have, 2^31 - 1; in a GOAWAY it means "all of them".
  public static let last = StreamID(0x7fff_ffff)

  public static func < (a: Self, b: Self) -> Bool { a.rawValue < b.rawValue }
}

extension StreamID: CustomStringConvertible {
  public var description: String { "\(rawValue)" }
}
