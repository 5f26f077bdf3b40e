/// One object as somebody wrote it: a tree of values that remembers where each one stands.
public struct ManifestObject: Hashable, Sendable {
  /// The path of the file, relative to the manifests directory.
  public var file: String
  /// Which document of the file, counted from 1.
  public var document: Int
  public var root: ManifestValue

  public init(file: String, document: Int, root: ManifestValue) {
    self.file = file
    self.document = document
    self.root = root
  }
}

/// A value of a manifest and the line it starts on.
public struct ManifestValue: Hashable, Sendable {
  /// What the value is, after YAML's and JSON's rules for plain scalars.
  public indirect enum Content: Hashable, Sendable {
    case null
    case boolean(Bool)
    case integer(Int64)
    /// A number that is no whole number of 64 bits.
    case number(Double)
    case string(String)
    case sequence([ManifestValue])
    /// In the order of the file; no key occurs twice.
    case mapping([Entry])
  }

  public struct Entry: Hashable, Sendable {
    public var key: String
    /// Where the key stands, counted from 1.
    public var line: Int
    public var value: ManifestValue

    public init(key: String, line: Int, value: ManifestValue) {
      self.key = key
      self.line = line
      self.value = value
    }
  }

  public var content: Content
  /// Counted from 1.
  public var line: Int

  public init(_ content: Content, line: Int) {
    self.content = content
    self.line = line
  }
}

extension ManifestValue {
  /// The value under `key`; nil when this is no mapping, or has no such key.
  public subscript(key: String) -> ManifestValue? {
    guard case .mapping(let entries) = content else { return nil }
    return entries.first { $0.key == key }?.value
  }

  /// What the value is, in the words of an error message.
  var summary: String {
    switch content {
    case .null: "nothing"
    case .boolean(let value): "the boolean \(value)"
    case .integer(let value): "the number \(value)"
    case .number(let value): "the number \(value)"
    case .string(let value): quoted(value)
    case .sequence: "a list"
    case .mapping: "a mapping"
    }
  }
}

/// Text for a message: in quotes, cut to a length somebody wants to read, without control characters.
public func quoted(_ text: String) -> String {
  let shown = text.unicodeScalars.prefix(Limit.quotedScalars).map { scalar in
    scalar.value < 0x20 || scalar.value == 0x7f
      ? "\\u{\(String(scalar.value, radix: 16))}" : "\(scalar)"
  }
  let isCut = text.unicodeScalars.count > Limit.quotedScalars
  return "\"" + shown.joined() + (isCut ? "…" : "") + "\""
}
