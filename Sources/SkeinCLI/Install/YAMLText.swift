import KubernetesClient
import MeshCompiler

extension ManifestValue {
  /// As a YAML document in blocks; `kubectl apply -f -` takes it.
  var yaml: String {
    var text = ""
    write(into: &text, indent: 0)
    return text
  }

  private func write(into text: inout String, indent: Int) {
    let space = String(repeating: " ", count: indent)
    switch content {
    case .mapping(let entries) where !entries.isEmpty:
      for entry in entries {
        text += "\(space)\(Self.scalar(entry.key)):"
        entry.value.writeInside(&text, indent: indent)
      }
    case .sequence(let items) where !items.isEmpty:
      for item in items {
        text += "\(space)-"
        item.writeInside(&text, indent: indent)
      }
    default: text += "\(space)\(flow)\n"
    }
  }

  /// After a key or a dash: on the same line when it is one word, else in lines of its own.
  private func writeInside(_ text: inout String, indent: Int) {
    switch content {
    case .mapping(let entries) where !entries.isEmpty:
      text += "\n"
      write(into: &text, indent: indent + 2)
    case .sequence(let items) where !items.isEmpty:
      text += "\n"
      write(into: &text, indent: indent + 2)
    default: text += " \(flow)\n"
    }
  }

  private var flow: String {
    guard case .string(let text) = content else { return String(decoding: json, as: UTF8.self) }
    return Self.scalar(text)
  }

  /// Plain when nothing can take it for anything but this text, else as in JSON.
  private static func scalar(_ text: String) -> String {
    let isPlain = text.utf8.allSatisfy { byte in
      switch byte {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "_"),
        UInt8(ascii: "/"), UInt8(ascii: "-"):
        true
      default: false
      }
    }
    let isWord = text.utf8.first.map { $0 >= UInt8(ascii: "A") && $0 <= UInt8(ascii: "z") } ?? false
    let others = ["true", "false", "null", "yes", "no", "on", "off", "y", "n"]
    guard isPlain, isWord, !others.contains(text.lowercased()) else {
      return String(decoding: ManifestValue.text(text).json, as: UTF8.self)
    }
    return text
  }
}
