public import MeshModel

extension WallTime {
  /// The time as RFC 3339 in UTC with milliseconds: `2026-01-02T03:04:05.678Z`.
  public var timestamp: String {
    guard secondsSinceEpoch.isFinite, abs(secondsSinceEpoch) < 250_000_000_000 else {
      return "unknown"
    }
    let milliseconds = Int64((secondsSinceEpoch * 1_000).rounded(.down))
    let (seconds, fraction) = milliseconds.flooredDivision(by: 1_000)
    let (days, second) = seconds.flooredDivision(by: 86_400)
    let (year, month, day) = civilDate(daysSinceEpoch: days)
    var text = padded(year, 4)
    text += "-"
    text += padded(month, 2)
    text += "-"
    text += padded(day, 2)
    text += "T"
    text += padded(second / 3_600, 2)
    text += ":"
    text += padded(second / 60 % 60, 2)
    text += ":"
    text += padded(second % 60, 2)
    text += "."
    text += padded(fraction, 3)
    text += "Z"
    return text
  }
}

extension Duration {
  /// Whole milliseconds, rounded down; of more than a million years, a million years'.
  public var milliseconds: Int64 {
    let most: Int64 = 1_000_000 * 366 * 86_400
    let seconds = min(max(components.seconds, -most), most)
    return seconds * 1_000 + components.attoseconds / 1_000_000_000_000_000
  }

  public var seconds: Double {
    Double(components.seconds) + Double(components.attoseconds) / 1e18
  }

  /// A length of time for people: `850ms`, `12s`, `3m05s`, `4h12m`, `2d03h`.
  public var brief: String {
    let whole = components.seconds
    switch whole {
    case ..<1: return "\(max(milliseconds, 0))ms"
    case ..<60: return "\(whole)s"
    case ..<3_600: return "\(whole / 60)m\(padded(whole % 60, 2))s"
    case ..<86_400: return "\(whole / 3_600)h\(padded(whole / 60 % 60, 2))m"
    default: return "\(whole / 86_400)d\(padded(whole / 3_600 % 24, 2))h"
    }
  }
}

extension Int64 {
  fileprivate func flooredDivision(by divisor: Int64) -> (quotient: Int64, remainder: Int64) {
    let (quotient, remainder) = quotientAndRemainder(dividingBy: divisor)
    return remainder < 0 ? (quotient - 1, remainder + divisor) : (quotient, remainder)
  }
}

private func padded(_ number: Int64, _ width: Int) -> String {
  let digits = String(number)
  let missing = width - digits.utf8.count
  return missing > 0 ? String(repeating: "0", count: missing) + digits : digits
}

/// The Gregorian date of a day, counted in eras of 400 years that begin on 1 March.
private func civilDate(daysSinceEpoch: Int64) -> (year: Int64, month: Int64, day: Int64) {
  let (era, dayOfEra) = (daysSinceEpoch + 719_468).flooredDivision(by: 146_097)
  let leaps = dayOfEra / 1_460 - dayOfEra / 36_524 + dayOfEra / 146_096
  let yearOfEra = (dayOfEra - leaps) / 365
  let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
  let shifted = (5 * dayOfYear + 2) / 153
  let month = shifted < 10 ? shifted + 3 : shifted - 9
  let year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
  return (year, month, dayOfYear - (153 * shifted + 2) / 5 + 1)
}
