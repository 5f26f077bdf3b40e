public import ArgumentParser

/// A length of time on the command line: `500ms`, `25s`, `10m`, `24h`, `90d`.
public struct DurationArgument: ExpressibleByArgument, CustomStringConvertible, Equatable, Sendable
{
  public var duration: Duration

  public init(_ duration: Duration) { self.duration = duration }

  public init?(argument: String) {
    let digits = argument.prefix { $0.isASCII && $0.isNumber }
    // Nine digits of days are a million years, and no overflow.
    guard digits.count <= 9, let number = Int64(digits) else { return nil }
    switch argument.dropFirst(digits.count) {
    case "ms": duration = .milliseconds(number)
    case "s": duration = .seconds(number)
    case "m": duration = .seconds(number * 60)
    case "h": duration = .seconds(number * 3_600)
    case "d": duration = .seconds(number * 86_400)
    default: return nil
    }
  }

  public var description: String {
    let (seconds, rest) = duration.components
    let milliseconds = rest / 1_000_000_000_000_000
    if milliseconds != 0 { return "\(seconds * 1_000 + milliseconds)ms" }
    // A day is told in hours.
    for (unit, length, least) in [("d", Int64(86_400), Int64(2)), ("h", 3_600, 1), ("m", 60, 1)]
    where seconds >= length * least && seconds % length == 0 {
      return "\(seconds / length)\(unit)"
    }
    return "\(seconds)s"
  }

  public var defaultValueDescription: String { description }
}
