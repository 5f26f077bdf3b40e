/// Source: RFC 8259, sections 3 and 6.
extension ManifestValue.Content {
  /// What a word of JSON means; nil for any but `true`, `false` and `null`.
  public init?(jsonWord text: String) {
    switch text {
    case "true": self = .boolean(true)
    case "false": self = .boolean(false)
    case "null": self = .null
    default: return nil
    }
  }

  /// A number of JSON, whole where it is one of 64 bits; nil for what JSON does not write so.
  public init?(jsonNumber text: String) {
    let digits = text.hasPrefix("-") ? text.dropFirst() : text[...]
    let hasLeadingZero =
      digits.hasPrefix("0") && digits.dropFirst().first.map { $0.isASCII && $0.isNumber } == true
    guard digits.first?.isNumber == true, !hasLeadingZero, text.last?.isNumber == true,
      !text.contains(".e"), !text.contains(".E")
    else { return nil }
    if let integer = Int64(text) {
      self = .integer(integer)
      return
    }
    guard let number = Double(text), number.isFinite else { return nil }
    self = .number(number)
  }
}
