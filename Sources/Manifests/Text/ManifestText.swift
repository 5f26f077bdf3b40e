public import MeshCompiler

/// The objects of one file, and what is wrong with its text.
public struct ManifestText: Hashable, Sendable {
  public var objects: [ManifestObject] = []
  public var diagnostics: [Diagnostic] = []

  /// Reads the bytes of one file; any bytes at all give an answer.
  ///
  /// A name that ends in `.json` is held to JSON's stricter rules, everything else is YAML.
  public init(_ bytes: [UInt8], file: String, limits: ManifestLimits = ManifestLimits()) {
    guard bytes.count <= limits.fileBytes else {
      refuse(
        .tooLarge, file: file, line: 0,
        "expected at most \(limits.fileBytes) bytes, found \(bytes.count)")
      return
    }
    guard let text = readText(bytes, file: file) else { return }
    if file.hasSuffix(".json") {
      readJSON(text, file: file, limits)
    } else {
      readYAML(text, file: file, limits)
    }
  }

  mutating func refuse(
    _ code: Diagnostic.Code, file: String, document: Int = 0, line: Int, _ message: String
  ) {
    diagnostics.append(
      Diagnostic(.error, code, file: file, document: document, line: line, message: message))
  }

  mutating func refuse(_ problem: TextProblem, file: String, document: Int) {
    refuse(problem.code, file: file, document: document, line: problem.line, problem.message)
  }

  /// Adds a document that holds something.
  mutating func add(_ root: ManifestValue, file: String, document: Int) {
    guard root.content != .null else { return }
    objects.append(ManifestObject(file: file, document: document, root: root))
  }

  /// The bytes as text without a byte order mark; nil, and a finding, when they are none.
  private mutating func readText(_ bytes: [UInt8], file: String) -> String? {
    let mark: [UInt8] = [0xef, 0xbb, 0xbf]
    let content = bytes.starts(with: mark) ? bytes.dropFirst(mark.count) : bytes[...]
    if let zero = content.firstIndex(of: 0) {
      refuse(
        .notText, file: file, line: line(of: zero, in: bytes),
        "expected text in UTF-8, found a NUL byte")
      return nil
    }
    guard let text = String(validating: content, as: UTF8.self) else {
      refuse(
        .notText, file: file, line: firstInvalidLine(content), "expected text in UTF-8")
      return nil
    }
    return text
  }

  private func line(of index: Int, in bytes: [UInt8]) -> Int {
    1 + bytes[..<index].count { $0 == UInt8(ascii: "\n") }
  }

  private func firstInvalidLine(_ bytes: ArraySlice<UInt8>) -> Int {
    let lines = bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
    let index = lines.firstIndex { String(validating: $0, as: UTF8.self) == nil }
    return 1 + (index ?? 0)
  }
}

/// Why a text could not be read, and where.
struct TextProblem: Error, Hashable {
  var code: Diagnostic.Code
  /// Counted from 1.
  var line: Int
  var message: String

  init(_ code: Diagnostic.Code, line: Int, _ message: String) {
    self.code = code
    self.line = line
    self.message = message
  }
}

/// Text for a message: in quotes, cut to a length somebody wants to read.
func shown(_ text: String) -> String {
  let scalars = text.unicodeScalars
  let readable = scalars.prefix(Limit.quotedScalars).map { scalar in
    scalar.value < 0x20 || scalar.value == 0x7f
      ? "\\u{\(String(scalar.value, radix: 16))}" : "\(scalar)"
  }
  return "\"" + readable.joined() + (scalars.count > Limit.quotedScalars ? "…" : "") + "\""
}
