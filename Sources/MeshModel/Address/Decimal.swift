/// Unsigned decimal numbers as addresses write them: digits only, no leading zero.
enum Decimal {
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
}
