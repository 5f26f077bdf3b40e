/// How long a certificate may live.
///
/// Source: ambient-protocol.md, 6.1: what is asked for is honoured up to the most, more is an error.
struct LifetimeRule: Hashable, Sendable {
  /// What is given to who asks for nothing.
  var standard: Duration
  var most: Duration

  /// Seconds as they are asked for; nil: more than may be given.
  func lifetime(asked seconds: Int64) -> Duration? {
    guard seconds > 0 else { return min(standard, most) }
    guard seconds <= most.components.seconds else { return nil }
    return .seconds(seconds)
  }
}
