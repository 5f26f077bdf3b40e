/// A node's or pod's name as one component of a path in bpffs, and back.
///
/// bpffs refuses dots and a slash would be two components, so every byte but letters, digits, `-` and
/// `_` is written `%xx`. Names of ours that start with `+` can therefore never be a pod's.
struct PinName: Hashable, Sendable {
  /// What the node's pods share.
  static let shared = PinName(raw: "+shared")

  let component: String

  private init(raw: String) { component = raw }

  /// Nil when the name is empty or too long once escaped.
  init?(_ name: String) {
    var bytes: [UInt8] = []
    for byte in name.utf8 {
      if PinName.isPlain(byte) {
        bytes.append(byte)
      } else {
        bytes += [UInt8(ascii: "%"), PinName.digit(byte >> 4), PinName.digit(byte & 15)]
      }
    }
    guard !bytes.isEmpty, bytes.count <= RedirectLimit.pinNameBytes else { return nil }
    component = String(decoding: bytes, as: UTF8.self)
  }

  /// The name a component stands for; nil for anything this type did not write.
  static func name(of component: String) -> String? {
    var bytes: [UInt8] = []
    var rest = component.utf8[...]
    while let byte = rest.popFirst() {
      if isPlain(byte) {
        bytes.append(byte)
        continue
      }
      guard byte == UInt8(ascii: "%"), let high = rest.popFirst().flatMap(value(of:)),
        let low = rest.popFirst().flatMap(value(of:))
      else { return nil }
      bytes.append(high << 4 | low)
    }
    guard !bytes.isEmpty else { return nil }
    return String(validating: bytes, as: UTF8.self)
  }

  private static func isPlain(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
      UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"):
      true
    default: false
    }
  }

  private static func digit(_ value: UInt8) -> UInt8 {
    value < 10 ? UInt8(ascii: "0") + value : UInt8(ascii: "a") + value - 10
  }

  private static func value(of digit: UInt8) -> UInt8? {
    switch digit {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): digit - UInt8(ascii: "0")
    case UInt8(ascii: "a")...UInt8(ascii: "f"): digit - UInt8(ascii: "a") + 10
    default: nil
    }
  }
}
