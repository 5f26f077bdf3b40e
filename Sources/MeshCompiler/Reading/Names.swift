/// The shapes of names Kubernetes allows.
///
/// Source: k8s.io/apimachinery/pkg/util/validation.
enum NameShape {
  /// RFC 1123 label: the name of a namespace.
  case label
  /// RFC 1035 label: the name of a service, which starts with a letter.
  case serviceLabel
  /// RFC 1123 subdomain: most other names.
  case subdomain
  /// A container port's name: at most 15 bytes with a letter among them.
  case portName

  var expectation: String {
    switch self {
    case .label:
      "at most 63 lower-case letters, digits and hyphens, a letter or digit at both ends"
    case .serviceLabel:
      "at most 63 lower-case letters, digits and hyphens, starting with a letter"
    case .subdomain:
      "at most 253 lower-case letters, digits, hyphens and dots, a letter or digit at both ends"
    case .portName:
      "at most 15 lower-case letters, digits and hyphens, at least one letter"
    }
  }

  func accepts(_ name: String) -> Bool {
    let bytes = Array(name.utf8)
    switch self {
    case .label:
      return isLabel(bytes[...])
    case .serviceLabel:
      return isLabel(bytes[...]) && bytes.first.map(isLetter) == true
    case .subdomain:
      guard (1...253).contains(bytes.count) else { return false }
      return bytes.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        .allSatisfy { isLabel($0, longest: 253) }
    case .portName:
      return isLabel(bytes[...], longest: 15) && bytes.contains(where: isLetter)
    }
  }

  private func isLabel(_ bytes: ArraySlice<UInt8>, longest: Int = 63) -> Bool {
    guard let first = bytes.first, let last = bytes.last, bytes.count <= longest,
      isAlphanumeric(first), isAlphanumeric(last)
    else { return false }
    return bytes.allSatisfy { isAlphanumeric($0) || $0 == UInt8(ascii: "-") }
  }

  private func isLetter(_ byte: UInt8) -> Bool { (0x61...0x7a).contains(byte) }

  private func isAlphanumeric(_ byte: UInt8) -> Bool {
    isLetter(byte) || (0x30...0x39).contains(byte)
  }
}

/// Whether `text` may name a pod's directory: bpffs allows no dot, a path no slash.
func isPodUID(_ text: String) -> Bool {
  (1...63).contains(text.utf8.count)
    && text.utf8.allSatisfy { byte in
      byte == 0x2d || byte == 0x5f || (0x30...0x39).contains(byte) || (0x41...0x5a).contains(byte)
        || (0x61...0x7a).contains(byte)
    }
}

extension PodPlacement {
  /// Whether the pod was given no uid, so that nobody can name it by one.
  public var hasStandInUID: Bool { uid == standInUID(namespace: namespace, name: name) }
}

/// A uid for a pod that was given none: always the same for the same namespace and name.
///
/// Written like a UUID, made of two FNV-1a hashes; two pods that shared one would be refused.
func standInUID(namespace: String, name: String) -> String {
  func hash(seed: UInt64) -> UInt64 {
    "\(namespace)/\(name)".utf8.reduce(seed) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }
  }
  let digits = [hash(seed: 0xcbf2_9ce4_8422_2325), hash(seed: 0x6c62_272e_07bb_0142)]
    .map { half in
      let text = String(half, radix: 16)
      return String(repeating: "0", count: 16 - text.utf8.count) + text
    }
    .joined()
  var parts: [Substring] = []
  var rest = digits[...]
  for count in [8, 4, 4, 4, 12] {
    parts.append(rest.prefix(count))
    rest = rest.dropFirst(count)
  }
  return parts.joined(separator: "-")
}
