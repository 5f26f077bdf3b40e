import HBONE
import MeshModel

/// The header of a 401 that gives both nodes' records the same id and the same words.
///
///     skein-refusal: 00c0ffee00c0ffee; no ALLOW policy matched
///
struct RefusalHeader: Equatable {
  static let name = "skein-refusal"
  /// Longest reason, in bytes; it travels in a header and ends in a record.
  static let reasonBytes = 1_024

  /// For who asks for something else than the pod's own address: the same whether it is there or not.
  static let untold = "not allowed; the destination's node has the reason under this id"

  var id: UInt64
  var reason: String

  init(id: UInt64, reason: String) {
    self.id = id
    // Only printable ASCII may stand in a header's value; a name may hold anything.
    let visible = reason.unicodeScalars.map { (0x20..<0x7f).contains($0.value) ? $0 : "?" }
    self.reason = String(String.UnicodeScalarView(visible.prefix(Self.reasonBytes)))
  }

  /// Reads a value from a peer; nil when it is not in this form.
  init?(parsing value: String) {
    let utf8 = value.utf8
    guard utf8.count >= 16 else { return nil }
    let digits = value.prefix(16)
    guard digits.utf8.allSatisfy(Self.isHexadecimal), let id = UInt64(digits, radix: 16) else {
      return nil
    }
    var rest = value.dropFirst(16)
    guard rest.isEmpty || rest.first == ";" else { return nil }
    rest = rest.drop { $0 == ";" || $0 == " " }
    self.init(id: id, reason: String(rest))
  }

  init?(in headers: [HeaderField]) {
    guard let value = headers[Self.name] else { return nil }
    self.init(parsing: value)
  }

  var field: HeaderField {
    HeaderField(name: Self.name, value: "\(Hexadecimal.text(of: id)); \(reason)")
  }

  private static func isHexadecimal(_ byte: UInt8) -> Bool {
    (0x30...0x39).contains(byte) || (0x61...0x66).contains(byte) || (0x41...0x46).contains(byte)
  }
}
