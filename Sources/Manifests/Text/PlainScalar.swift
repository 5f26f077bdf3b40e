import MeshCompiler
import Yams

/// What a YAML scalar without quotes means.
///
/// As kubectl reads it: YAML 1.1's booleans and numbers, but no dates and no base 60.
/// Source: https://yaml.org/type, sigs.k8s.io/yaml.
enum PlainScalar {
  static func content(_ text: String) -> ManifestValue.Content {
    switch text {
    case "", "~", "null", "Null", "NULL":
      return .null
    case "y", "Y", "yes", "Yes", "YES", "on", "On", "ON", "true", "True", "TRUE":
      return .boolean(true)
    case "n", "N", "no", "No", "NO", "off", "Off", "OFF", "false", "False", "FALSE":
      return .boolean(false)
    case ".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF":
      return .number(.infinity)
    case "-.inf", "-.Inf", "-.INF":
      return .number(-.infinity)
    case ".nan", ".NaN", ".NAN":
      return .number(.nan)
    default:
      return number(text) ?? .string(text)
    }
  }

  /// The tag a value of that content has by itself.
  static func tag(of content: ManifestValue.Content) -> String {
    switch content {
    case .null: Tag.Name.null.rawValue
    case .boolean: Tag.Name.bool.rawValue
    case .integer: Tag.Name.int.rawValue
    case .number: Tag.Name.float.rawValue
    case .string: Tag.Name.str.rawValue
    case .sequence: Tag.Name.seq.rawValue
    case .mapping: Tag.Name.map.rawValue
    }
  }

  private static func number(_ text: String) -> ManifestValue.Content? {
    guard let first = text.utf8.first,
      first == UInt8(ascii: "+") || first == UInt8(ascii: "-") || first == UInt8(ascii: ".")
        || isDigit(first)
    else { return nil }
    let plain = String(text.filter { $0 != "_" })
    if let integer = integer(plain) { return .integer(integer) }
    return isDecimal(plain) ? Double(plain).map { .number($0) } : nil
  }

  private static func integer(_ text: String) -> Int64? {
    let isNegative = text.hasPrefix("-")
    let digits = isNegative || text.hasPrefix("+") ? text.dropFirst() : text[...]
    guard let first = digits.utf8.first, isDigit(first) else { return nil }
    let (rest, radix): (Substring, Int) =
      switch digits.prefix(2) {
      case "0x", "0X": (digits.dropFirst(2), 16)
      case "0b", "0B": (digits.dropFirst(2), 2)
      case "0o", "0O": (digits.dropFirst(2), 8)
      default: digits.count > 1 && digits.hasPrefix("0") ? (digits.dropFirst(), 8) : (digits, 10)
      }
    guard rest.first != "+", rest.first != "-" else { return nil }
    return Int64((isNegative ? "-" : "") + rest, radix: radix)
  }

  /// `[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?`, the shape of a YAML number.
  private static func isDecimal(_ text: String) -> Bool {
    var rest = Array(text.utf8)[...]
    func digits() -> Int {
      let count = rest.prefix(while: isDigit).count
      rest = rest.dropFirst(count)
      return count
    }
    func skip(_ characters: Unicode.Scalar...) -> Bool {
      guard let first = rest.first, characters.contains(where: { $0.value == UInt32(first) }) else {
        return false
      }
      rest = rest.dropFirst()
      return true
    }
    _ = skip("+", "-")
    let whole = digits()
    let hasPoint = skip(".")
    let fraction = hasPoint ? digits() : 0
    guard whole > 0 || fraction > 0 else { return false }
    if skip("e", "E") {
      _ = skip("+", "-")
      guard digits() > 0 else { return false }
    }
    return rest.isEmpty
  }

  private static func isDigit(_ byte: UInt8) -> Bool { (0x30...0x39).contains(byte) }
}
