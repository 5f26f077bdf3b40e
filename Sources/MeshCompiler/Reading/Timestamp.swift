/// A moment as Kubernetes writes it, for telling which of two objects is older.
///
/// Source: RFC 3339, section 5.6.
struct Timestamp: Hashable, Comparable, Sendable {
  /// Since 1970-01-01T00:00:00Z, without leap seconds.
  let nanoseconds: Int64

  /// Kubernetes' zero time: an object without a timestamp counts as older than any with one.
  static let absent = Timestamp(nanoseconds: .min)

  static func < (a: Self, b: Self) -> Bool { a.nanoseconds < b.nanoseconds }

  private init(nanoseconds: Int64) {
    self.nanoseconds = nanoseconds
  }

  /// Reads `2026-01-31T12:00:00Z`, with a fraction of a second and an offset if need be.
  init?(_ text: String) {
    var scanner = DigitScanner(Array(text.utf8))
    guard let year = scanner.number(digits: 4), (1970...2200).contains(year), scanner.skip("-"),
      let month = scanner.number(digits: 2), (1...12).contains(month), scanner.skip("-"),
      let day = scanner.number(digits: 2), (1...Self.days(in: month, of: year)).contains(day),
      scanner.skip("T") || scanner.skip("t"),
      let hour = scanner.number(digits: 2), (0...23).contains(hour), scanner.skip(":"),
      let minute = scanner.number(digits: 2), (0...59).contains(minute), scanner.skip(":"),
      let second = scanner.number(digits: 2), (0...60).contains(second),
      let fraction = scanner.fractionNanoseconds(), let offset = scanner.offsetMinutes(),
      scanner.isAtEnd
    else { return nil }
    let minutes = (Self.daysSinceEpoch(year, month, day) * 24 + hour) * 60 + minute - offset
    nanoseconds = (minutes * 60 + second) * 1_000_000_000 + fraction
  }

  private static func isLeap(_ year: Int64) -> Bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
  }

  private static func days(in month: Int64, of year: Int64) -> Int64 {
    switch month {
    case 2: isLeap(year) ? 29 : 28
    case 4, 6, 9, 11: 30
    default: 31
    }
  }

  private static func daysSinceEpoch(_ year: Int64, _ month: Int64, _ day: Int64) -> Int64 {
    let years = (1970..<year).reduce(Int64(0)) { $0 + (isLeap($1) ? 366 : 365) }
    return (1..<month).reduce(years) { $0 + days(in: $1, of: year) } + day - 1
  }
}

/// Reads fixed-width decimal fields from the front of some bytes.
private struct DigitScanner {
  private var rest: ArraySlice<UInt8>

  init(_ bytes: [UInt8]) {
    rest = bytes[...]
  }

  var isAtEnd: Bool { rest.isEmpty }

  mutating func number(digits: Int) -> Int64? {
    let field = rest.prefix(digits)
    guard field.count == digits, field.allSatisfy({ (0x30...0x39).contains($0) }) else {
      return nil
    }
    rest = rest.dropFirst(digits)
    return field.reduce(0) { $0 * 10 + Int64($1 - 0x30) }
  }

  mutating func skip(_ character: Unicode.Scalar) -> Bool {
    guard rest.first == UInt8(ascii: character) else { return false }
    rest = rest.dropFirst()
    return true
  }

  /// Zero without a fraction; nil when a point has no digit, or more than nine, after it.
  mutating func fractionNanoseconds() -> Int64? {
    guard skip(".") else { return 0 }
    let digits = rest.prefix { (0x30...0x39).contains($0) }
    guard (1...9).contains(digits.count) else { return nil }
    rest = rest.dropFirst(digits.count)
    let padded = Array(digits) + [UInt8](repeating: 0x30, count: 9 - digits.count)
    return padded.reduce(0) { $0 * 10 + Int64($1 - 0x30) }
  }

  mutating func offsetMinutes() -> Int64? {
    if skip("Z") || skip("z") { return 0 }
    let sign: Int64 = skip("+") ? 1 : -1
    guard sign == 1 || skip("-"), let hours = number(digits: 2), hours < 24, skip(":"),
      let minutes = number(digits: 2), minutes < 60
    else { return nil }
    return sign * (hours * 60 + minutes)
  }
}
