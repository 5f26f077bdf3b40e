/// Something to say about a manifest: where, and what was expected there.
public struct Diagnostic: Hashable, Sendable {
  public enum Severity: UInt8, Hashable, Sendable, Comparable {
    /// Said, and otherwise without effect.
    case warning = 0
    /// The object is in force, but not as written: in a stricter form that the message describes.
    case refusal = 1
    /// The manifest is wrong: this generation must not be used, the last good one stays.
    case error = 2

    public static func < (a: Self, b: Self) -> Bool { a.rawValue < b.rawValue }
  }

  /// A stable word for the kind of finding, for filters and tests.
  public enum Code: String, Hashable, Sendable, CaseIterable {
    // The text
    case unreadable = "unreadable"
    case tooLarge = "too-large"
    case notText = "not-text"
    case syntax = "syntax"
    case duplicateKey = "duplicate-key"
    case tooDeep = "too-deep"
    case tooManyNodes = "too-many-nodes"
    case notAnObject = "not-an-object"
    // The object
    case missing = "missing"
    case wrongType = "wrong-type"
    case invalidValue = "invalid-value"
    case unknownKind = "unknown-kind"
    case unknownField = "unknown-field"
    case duplicateObject = "duplicate-object"
    case duplicateAddress = "duplicate-address"
    // Its meaning
    case selectsNothing = "selects-nothing"
    case unresolved = "unresolved"
    case notCovered = "not-covered"
    case ignored = "ignored"
    case notEnforcedAsWritten = "not-enforced-as-written"
  }

  /// The object a finding is about.
  public struct ObjectName: Hashable, Sendable, CustomStringConvertible {
    public var kind: String
    /// Empty for an object without a namespace.
    public var namespace: String
    public var name: String

    public init(kind: String, namespace: String, name: String) {
      self.kind = kind
      self.namespace = namespace
      self.name = name
    }

    public var description: String {
      namespace.isEmpty ? "\(kind) \(name)" : "\(kind) \(namespace)/\(name)"
    }
  }

  public var severity: Severity
  public var code: Code
  /// Relative to the manifests directory; empty when it is about the directory itself.
  public var file: String
  /// Counted from 1; 0 when the file could not be divided into documents.
  public var document: Int
  /// Counted from 1; 0 when unknown.
  public var line: Int
  /// Nil while the document does not say what it is.
  public var object: ObjectName?
  /// Such as `spec.rules[0].to[0].operation.ports[1]`; empty for the whole object.
  public var field: String
  /// What is wrong and what is expected.
  public var message: String

  public init(
    _ severity: Severity, _ code: Code, file: String, document: Int = 0, line: Int = 0,
    object: ObjectName? = nil, field: String = "", message: String
  ) {
    self.severity = severity
    self.code = code
    self.file = file
    self.document = document
    self.line = line
    self.object = object
    self.field = field
    self.message = message
  }
}

extension Diagnostic: Comparable {
  /// By file, document, line, field and message; what else there is only keeps the order whole.
  public static func < (a: Self, b: Self) -> Bool {
    let first = (a.file, a.document, a.line, a.field, a.message)
    let second = (b.file, b.document, b.line, b.field, b.message)
    if first != second { return first < second }
    if a.severity != b.severity { return a.severity < b.severity }
    if a.code != b.code { return a.code.rawValue < b.code.rawValue }
    guard let object = a.object, let other = b.object else {
      return a.object == nil && b.object != nil
    }
    return object < other
  }
}

extension Diagnostic.ObjectName: Comparable {
  public static func < (a: Self, b: Self) -> Bool {
    (a.kind, a.namespace, a.name) < (b.kind, b.namespace, b.name)
  }
}

extension Diagnostic: CustomStringConvertible {
  /// One line: `shop/web.yaml:12: error: document 2, Pod shop/web, spec.containers: …`.
  public var description: String {
    var place = file.isEmpty ? "manifests" : file
    if line > 0 { place += ":\(line)" }
    var subject: [String] = []
    if document > 0 { subject.append("document \(document)") }
    if let object { subject.append(object.description) }
    if !field.isEmpty { subject.append(field) }
    let about = subject.isEmpty ? "" : subject.joined(separator: ", ") + ": "
    return "\(place): \(severity): \(about)\(message)"
  }
}

extension Diagnostic.Severity: CustomStringConvertible {
  public var description: String {
    switch self {
    case .warning: "warning"
    case .refusal: "refused"
    case .error: "error"
    }
  }
}
