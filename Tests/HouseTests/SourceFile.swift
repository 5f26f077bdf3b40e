import FoundationEssentials
import Testing

/// One file of the project as text, and what the house rules ask of it.
struct SourceFile: CustomTestStringConvertible, Sendable {
  let path: String
  let text: String

  var testDescription: String { path }

  /// `Sources/HBONE/Frames/FrameHeader.swift` belongs to HBONE.
  var target: String { String(path.split(separator: "/")[1]) }

  var lines: [Substring] { text.split(separator: "\n", omittingEmptySubsequences: false) }

  var lineCount: Int { text.count { $0 == "\n" } }

  /// The text without comment lines.
  var code: String {
    lines.filter { !$0.drop { $0 == " " }.hasPrefix("//") }.joined(separator: "\n")
  }

  var imports: Set<String> {
    Set(
      lines.compactMap { line in
        let words = line.split(separator: " ")
        guard words.count <= 3, words.dropLast().last == "import" else { return nil }
        return words.last.map(String.init)
      })
  }

  var typeNames: [String] {
    lines.compactMap { line in
      let words = line.split { !$0.isLetter && !$0.isNumber && $0 != "_" }
      guard !line.drop(while: { $0 == " " }).hasPrefix("//"),
        let keyword = words.firstIndex(where: {
          ["struct", "class", "enum", "actor", "protocol"].contains($0)
        }), keyword + 1 < words.count
      else { return nil }
      return String(words[keyword + 1])
    }
  }

  /// Each function's first line and how many lines it spans, by the indentation of its brace.
  var functionLengths: [(name: String, length: Int)] {
    var lengths: [(String, Int)] = []
    let lines = self.lines
    for (start, line) in lines.enumerated() {
      let indent = line.prefix { $0 == " " }.count
      let words = line.split(separator: " ")
      guard words.contains("func") || words.contains(where: { $0.hasPrefix("init(") }),
        !line.dropFirst(indent).hasPrefix("//")
      else { continue }
      let closing = String(repeating: " ", count: indent) + "}"
      let end = lines[start...].firstIndex { $0 == closing || $0.hasPrefix(closing + " ") }
      guard let end else { continue }
      lengths.append((String(line.dropFirst(indent)), end - start + 1))
    }
    return lengths
  }

  /// The names in backticks after “held by”.
  var promisedTests: [String] {
    var names: [String] = []
    for line in lines {
      let sides = line.split(separator: "held by ", omittingEmptySubsequences: false)
      guard sides.count == 2 else { continue }
      let parts = sides[1].split(separator: "`", omittingEmptySubsequences: false)
      for (index, part) in parts.enumerated() where index % 2 == 1 { names.append(String(part)) }
    }
    return names
  }

  static let root = #filePath.split(separator: "/").dropLast(3).reduce("") { "\($0)/\($1)" }

  static func one(_ path: String) -> SourceFile? {
    all(under: "", suffix: path).first { $0.path == path }
  }

  /// The files we wrote; what a generator wrote lies in folders called Generated.
  static func all(under folder: String, suffix: String = ".swift") -> [SourceFile] {
    do {
      let files = FileManager.default
      let names =
        folder.isEmpty ? [suffix] : try files.subpathsOfDirectory(atPath: "\(root)/\(folder)")
      let ours = names.filter {
        $0.hasSuffix(suffix) && !$0.contains("/Generated/") && !$0.hasPrefix("Generated/")
      }
      return try ours.sorted().map { name in
        let path = folder.isEmpty ? name : "\(folder)/\(name)"
        let data = try Data(contentsOf: URL(filePath: "\(root)/\(path)"))
        return SourceFile(path: path, text: String(decoding: data, as: UTF8.self))
      }
    } catch {
      preconditionFailure("the sources are unreadable: \(error)")
    }
  }
}
