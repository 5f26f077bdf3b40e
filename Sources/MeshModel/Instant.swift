/// A moment on a clock that only goes forward; time enters the pure targets as this value.
public struct Instant: Hashable, Comparable, Sendable {
  /// Nanoseconds since an arbitrary start, the machine's boot in production.
  public var nanoseconds: UInt64

  public init(nanoseconds: UInt64) {
    self.nanoseconds = nanoseconds
  }

  public static func < (a: Self, b: Self) -> Bool { a.nanoseconds < b.nanoseconds }

  public static func + (instant: Self, duration: Duration) -> Self {
    let (seconds, attoseconds) = duration.components
    precondition(
      seconds >= 0 && attoseconds >= 0, "an instant only moves forward, not by \(duration)")
    let added = UInt64(seconds) * 1_000_000_000 + UInt64(attoseconds) / 1_000_000_000
    return Self(nanoseconds: instant.nanoseconds + added)
  }

  /// The time from `earlier` to here; zero when `earlier` is in fact later.
  public func since(_ earlier: Self) -> Duration {
    .nanoseconds(
      Int64(clamping: nanoseconds > earlier.nanoseconds ? nanoseconds - earlier.nanoseconds : 0))
  }
}

/// A moment on the calendar's clock, for certificates and records.
public struct WallTime: Hashable, Comparable, Sendable {
  /// Seconds since 1970-01-01T00:00:00Z, without leap seconds.
  public var secondsSinceEpoch: Double

  public init(secondsSinceEpoch: Double) {
    self.secondsSinceEpoch = secondsSinceEpoch
  }

  public static func < (a: Self, b: Self) -> Bool { a.secondsSinceEpoch < b.secondsSinceEpoch }
}
