import MeshCompiler
import Yams

extension ManifestText {
  /// Reads every document of a YAML stream.
  ///
  /// Aliases never reach Yams: it would copy what they stand for while it compares keys, and nine
  /// lines can stand for a billion values. Every `*` goes in as a private character, so that an
  /// alias comes out as a plain scalar that starts with it, and is replaced here, within the limits.
  mutating func readYAML(_ text: String, file: String, _ limits: ManifestLimits) {
    let marked = text.utf8.contains(UInt8(ascii: "*"))
    if marked, let line = line(of: YAMLConversion.star, in: text) {
      refuse(.notText, file: file, line: line, "expected no private character U+E000")
      return
    }
    let yaml = marked ? replacing(text, "*", YAMLConversion.star) : text
    var document = 1
    do {
      let parser = try Parser(yaml: yaml, resolver: .basic, encoding: .utf8)
      var nodes = limits.nodesPerFile
      while let node = try parser.nextRoot() {
        guard document <= limits.documentsPerFile else {
          throw TextProblem(
            .tooLarge, line: node.mark?.line ?? 0,
            "expected at most \(limits.documentsPerFile) documents")
        }
        var conversion = YAMLConversion(limits: limits, nodesLeft: nodes)
        add(try conversion.value(node, depth: 0), file: file, document: document)
        nodes = conversion.nodesLeft
        document += 1
      }
    } catch let problem as TextProblem {
      refuse(problem, file: file, document: document)
    } catch let error as YamlError {
      refuse(problem(error), file: file, document: document)
    } catch {
      refuse(.syntax, file: file, document: document, line: 0, "\(error)")
    }
  }

  private func line(of scalar: Unicode.Scalar, in text: String) -> Int? {
    guard let index = text.unicodeScalars.firstIndex(of: scalar) else { return nil }
    return 1 + text.unicodeScalars[..<index].count { $0 == "\n" }
  }

  private func problem(_ error: YamlError) -> TextProblem {
    switch error {
    case .reader(let problem, let offset, let value, let yaml):
      let line = 1 + (offset.map { yaml.prefix($0).count(where: \.isNewline) } ?? -1)
      let found = value >= 0 ? ": character U+\(String(value, radix: 16, uppercase: true))" : ""
      return TextProblem(.notText, line: line, problem + found)
    case .scanner(let context, let problem, let mark, _),
      .parser(let context, let problem, let mark, _),
      .composer(let context, let problem, let mark, _):
      if problem.contains("nesting level") {
        return TextProblem(.tooDeep, line: mark.line, "mappings and lists are nested too deeply")
      }
      let place = context.map { " (\($0.text) from line \($0.mark.line))" } ?? ""
      return TextProblem(
        .syntax, line: mark.line, YAMLConversion.restored("not YAML: \(problem)\(place)"))
    case .duplicatedKeysInMapping(let duplicates, let context):
      let keys = duplicates.map { shown(YAMLConversion.restored($0)) }.joined(separator: ", ")
      return TextProblem(
        .duplicateKey, line: context.mark.line,
        "expected each key once in a mapping, found \(keys) again")
    case .memory:
      return TextProblem(.tooDeep, line: 0, "mappings and lists are nested too deeply")
    case .no, .writer, .emitter, .representer, .dataCouldNotBeDecoded:
      return TextProblem(.syntax, line: 0, "not YAML: \(error)")
    }
  }
}

private func replacing(
  _ text: String, _ old: Unicode.Scalar, _ new: Unicode.Scalar
) -> String {
  var scalars = String.UnicodeScalarView()
  scalars.append(contentsOf: text.unicodeScalars.lazy.map { $0 == old ? new : $0 })
  return String(scalars)
}

/// Turns the nodes of one document into values.
struct YAMLConversion {
  /// Stands for `*` while Yams reads.
  static let star: Unicode.Scalar = "\u{E000}"

  /// A value an alias may stand for.
  private struct Anchored {
    var value: ManifestValue
    /// Values in it, itself among them.
    var nodes: Int
    /// Levels of mappings and lists in it.
    var height: Int
  }

  private let limits: ManifestLimits
  private(set) var nodesLeft: Int
  private var anchors: [String: Anchored] = [:]
  /// Levels below the node converted last.
  private var height = 0

  init(limits: ManifestLimits, nodesLeft: Int) {
    self.limits = limits
    self.nodesLeft = nodesLeft
  }

  static func restored(_ text: String) -> String {
    text.unicodeScalars.contains(star) ? replacing(text, star, "*") : text
  }

  mutating func value(_ node: Node, depth: Int) throws(TextProblem) -> ManifestValue {
    let line = node.mark?.line ?? 0
    guard depth <= limits.depth else {
      throw TextProblem(
        .tooDeep, line: line, "expected at most \(limits.depth) levels of mappings and lists")
    }
    let before = nodesLeft
    try spend(1, line)
    let converted: ManifestValue
    switch node {
    case .scalar(let scalar):
      height = 0
      if scalar.style == .plain, scalar.string.unicodeScalars.first == Self.star {
        return try alias(scalar.string, depth, line)
      }
      converted = ManifestValue(try content(scalar, line), line: line)
    case .sequence(let sequence):
      try checkTag(sequence.tag, .seq, line)
      var items: [ManifestValue] = []
      var tallest = 0
      for item in sequence {
        items.append(try value(item, depth: depth + 1))
        tallest = max(tallest, height)
      }
      height = tallest + 1
      converted = ManifestValue(.sequence(items), line: line)
    case .mapping(let mapping):
      try checkTag(mapping.tag, .map, line)
      converted = ManifestValue(.mapping(try entries(mapping, depth)), line: line)
    case .alias:
      throw TextProblem(.syntax, line: line, "not YAML: unexpected alias")
    }
    if let anchor = node.anchor?.rawValue {
      anchors[anchor] = Anchored(value: converted, nodes: before - nodesLeft, height: height)
    }
    return converted
  }

  private mutating func entries(
    _ mapping: Node.Mapping, _ depth: Int
  ) throws(TextProblem) -> [ManifestValue.Entry] {
    var entries: [ManifestValue.Entry] = []
    var merged: [ManifestValue.Entry] = []
    var tallest = 0
    for (keyNode, valueNode) in mapping {
      let line = keyNode.mark?.line ?? 0
      guard case .scalar(let key) = keyNode else {
        throw TextProblem(.syntax, line: line, "expected a name as key, found a mapping or list")
      }
      if key.style == .plain, key.string.unicodeScalars.first == Self.star {
        throw TextProblem(.syntax, line: line, "expected a name as key, found an alias")
      }
      try spend(1, line)
      let value = try value(valueNode, depth: depth + 1)
      tallest = max(tallest, height)
      if key.style == .plain, key.string == "<<" {
        merged += try mergeable(value, line)
      } else {
        entries.append(.init(key: Self.restored(key.string), line: line, value: value))
      }
    }
    height = tallest + 1
    if merged.isEmpty { return entries }
    var known = Set(entries.map(\.key))
    for entry in merged where known.insert(entry.key).inserted { entries.append(entry) }
    return entries
  }

  /// The entries behind `<<`: of a mapping, or of several, the first of which wins.
  private func mergeable(
    _ value: ManifestValue, _ line: Int
  ) throws(TextProblem) -> [ManifestValue.Entry] {
    switch value.content {
    case .mapping(let entries):
      return entries
    case .sequence(let items):
      var all: [ManifestValue.Entry] = []
      for item in items {
        guard case .mapping(let entries) = item.content else {
          throw TextProblem(.syntax, line: line, "expected mappings behind <<")
        }
        all += entries
      }
      return all
    case .null, .boolean, .integer, .number, .string:
      throw TextProblem(.syntax, line: line, "expected a mapping behind <<")
    }
  }

  private mutating func alias(
    _ text: String, _ depth: Int, _ line: Int
  ) throws(TextProblem) -> ManifestValue {
    let name = String(text.unicodeScalars.dropFirst())
    guard let anchored = anchors[name] else {
      throw TextProblem(
        .syntax, line: line,
        "\(shown(Self.restored(text))) is an alias of nothing; write it in quotes if it is a value")
    }
    guard depth + anchored.height <= limits.depth else {
      throw TextProblem(
        .tooDeep, line: line, "expected at most \(limits.depth) levels of mappings and lists")
    }
    try spend(anchored.nodes, line)
    height = anchored.height
    return anchored.value
  }

  private mutating func spend(_ count: Int, _ line: Int) throws(TextProblem) {
    guard nodesLeft >= count else {
      throw TextProblem(
        .tooManyNodes, line: line,
        "expected at most \(limits.nodesPerFile) values, aliases replaced")
    }
    nodesLeft -= count
  }

  private func checkTag(
    _ tag: Tag, _ expected: Tag.Name, _ line: Int
  ) throws(TextProblem) {
    guard ["", "!", expected.rawValue].contains(tag.rawValue) else {
      throw TextProblem(
        .syntax, line: line, "expected no tag, found \(shown(Self.restored(tag.rawValue)))")
    }
  }

  private func content(
    _ scalar: Node.Scalar, _ line: Int
  ) throws(TextProblem) -> ManifestValue.Content {
    let text = Self.restored(scalar.string)
    switch scalar.tag.rawValue {
    case "":
      return scalar.style == .plain ? PlainScalar.content(text) : .string(text)
    case "!", Tag.Name.str.rawValue:
      return .string(text)
    case Tag.Name.int.rawValue, Tag.Name.float.rawValue, Tag.Name.bool.rawValue,
      Tag.Name.null.rawValue:
      let content = PlainScalar.content(text)
      guard PlainScalar.tag(of: content) == scalar.tag.rawValue else {
        throw TextProblem(
          .syntax, line: line, "expected a value of \(scalar.tag.rawValue), found \(shown(text))")
      }
      return content
    default:
      throw TextProblem(
        .syntax, line: line, "expected no tag, found \(shown(Self.restored(scalar.tag.rawValue)))")
    }
  }
}
