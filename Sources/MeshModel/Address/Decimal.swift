/// Unsigned decimal numbers as addresses write them: digits only, no leading zero.
public enum Decimal {
  static func parse(_ digits: some Collection<UInt8>, atMost maximum: Int) -> Int? {
    guard let first = digits.first, digits.count <= 9 else { return nil }
    guard digits.count == 1 || first != UInt8(ascii: "0") else { return nil }
    var value = 0
    for digit in digits {
      guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(digit) else { return nil }
      value = value * 10 + Int(digit - UInt8(ascii: "0"))
    }
    return value <= maximum ? value : nil
  }

  /// Appends a number's digits, without a string in between.
  public static func append(_ number: UInt64, to bytes: inout [UInt8]) {
    var digits = [20 of UInt8](repeating: 0)
    var first = digits.count
    var rest = number
    repeat {
      first -= 1
      digits[first] = UInt8(ascii: "0") + UInt8(rest % 10)
      rest /= 10
    } while rest > 0
    for index in first..<digits.count { bytes.append(digits[index]) }
  }
}
