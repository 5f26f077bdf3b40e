public import MeshCompiler

/// How much a finding matters.
public enum Severity: String, Hashable, Sendable, Comparable, CaseIterable {
  /// Worth knowing; all works as written.
  case info
  /// Likely not what was meant.
  case warning
  /// Connections fail, or something is not in force.
  case error

  public static func < (a: Self, b: Self) -> Bool { a.rank < b.rank }

  private var rank: Int {
    switch self {
    case .info: 0
    case .warning: 1
    case .error: 2
    }
  }
}

/// Something to say about an object: where, what is wrong, and what to do.
public struct Finding: Hashable, Sendable {
  public var code: FindingCode
  /// Nil while the document does not say what it is.
  public var object: Diagnostic.ObjectName?
  /// Empty for an object of a cluster.
  public var file: String
  /// Counted from 1; 0 for an object of a cluster.
  public var document: Int
  /// Counted from 1; 0 when unknown.
  public var line: Int
  /// Such as `spec.http[0].route[1].destination.host`; empty for the whole object.
  public var field: String
  public var message: String
  public var nextStep: String

  public init(
    _ code: FindingCode, object: Diagnostic.ObjectName?, file: String, document: Int, line: Int,
    field: String, message: String, nextStep: String
  ) {
    self.code = code
    self.object = object
    self.file = file
    self.document = document
    self.line = line
    self.field = field
    self.message = message
    self.nextStep = nextStep
  }

  public var severity: Severity { code.severity }

  /// What makes it the same finding when its object stands elsewhere.
  var essence: [String] {
    [code.rawValue, object?.description ?? "", field, message]
  }
}

extension Finding: Comparable {
  /// The gravest first, then by code, object and place.
  public static func < (a: Self, b: Self) -> Bool {
    if a.severity != b.severity { return a.severity > b.severity }
    if a.code != b.code { return a.code.rawValue < b.code.rawValue }
    if a.object != b.object {
      guard let first = a.object, let second = b.object else { return a.object == nil }
      return first < second
    }
    if (a.file, a.document, a.line) != (b.file, b.document, b.line) {
      return (a.file, a.document, a.line) < (b.file, b.document, b.line)
    }
    return (a.field, a.message) < (b.field, b.message)
  }
}

/// Findings as somebody reads them: so many of each code, and how many more there are.
public struct BoundedFindings: Hashable, Sendable {
  public private(set) var findings: [Finding] = []
  /// By code, for those with more than are shown.
  public private(set) var more: [FindingCode: Int] = [:]
  /// Of all, shown or not.
  public private(set) var counts: [Severity: Int] = [:]

  public init(_ all: [Finding], perCode: Int = Limit.findingsPerCode) {
    var seen: [FindingCode: Int] = [:]
    for finding in all {
      counts[finding.severity, default: 0] += 1
      seen[finding.code, default: 0] += 1
      if seen[finding.code, default: 0] <= perCode {
        findings.append(finding)
      } else {
        more[finding.code, default: 0] += 1
      }
    }
  }

  /// Whether something is at least as grave.
  public func has(atLeast severity: Severity) -> Bool {
    counts.contains { $0.key >= severity && $0.value > 0 }
  }
}
