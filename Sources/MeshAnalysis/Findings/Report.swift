import MeshCompiler

/// Where findings are gathered.
struct Report {
  private(set) var findings: [Finding] = []
  /// Likely names that were looked for.
  private var hints = 0

  /// - at: the field; nil for the whole object.
  mutating func add(
    _ code: FindingCode, _ item: Item, at field: Node? = nil, _ message: String, next: String
  ) {
    findings.append(
      Finding(
        code, object: item.name, file: item.file, document: item.document,
        line: field?.line ?? item.line, field: field?.path ?? "", message: message, nextStep: next)
    )
  }

  /// `; did you mean a?` for a name nobody has, or nothing.
  ///
  /// Nobody reads the thousandth, so it is not looked for.
  mutating func hint(_ name: String, among known: @autoclosure () -> [String]) -> String {
    hints += 1
    guard hints <= Limit.hints else { return "" }
    let candidates = Array(known().prefix(Limit.candidates))
    // A name that is cut short is meant in full, however much is missing.
    let whole = candidates.first { $0.hasPrefix("\(name).") }
    return (whole ?? nearest(to: name, among: candidates)).map { "; did you mean \($0)?" } ?? ""
  }
}

// MARK: What the compiler says

extension Report {
  /// Adds what the compiler says, where nothing was said about that field more exactly.
  mutating func add(_ diagnostics: [Diagnostic]) {
    var said: [Diagnostic.ObjectName: Set<String>] = [:]
    for finding in findings {
      guard let object = finding.object else { continue }
      said[object, default: []].insert(finding.field)
    }
    for diagnostic in diagnostics {
      guard let code = diagnostic.findingCode else { continue }
      if let object = diagnostic.object, diagnostic.severity != .error,
        said[object]?.contains(diagnostic.field) == true
      {
        continue
      }
      let isInCluster = diagnostic.document == 0
      findings.append(
        Finding(
          code, object: diagnostic.object, file: isInCluster ? "" : diagnostic.file,
          document: diagnostic.document, line: isInCluster ? 0 : diagnostic.line,
          field: diagnostic.field, message: diagnostic.message, nextStep: code.correction))
    }
  }
}

extension Diagnostic {
  /// Nil for what the analysis finds by itself, with more to say.
  fileprivate var findingCode: FindingCode? {
    switch (severity, code) {
    case (.error, .duplicateObject): .duplicateObject
    case (.error, .duplicateAddress): .duplicateAddress
    case (.error, _): .invalidObject
    case (.refusal, _), (_, .notEnforcedAsWritten): .notEnforcedAsWritten
    case (.warning, .unknownField), (.warning, .unknownKind): .unknownField
    // One overruled by another is found here, with the pods it concerns.
    case (.warning, .ignored): object?.kind == "PeerAuthentication" ? nil : .ignoredField
    case (.warning, _): nil
    }
  }
}

extension FindingCode {
  /// What to do about a finding of the compiler's.
  fileprivate var correction: String {
    switch self {
    case .duplicateObject: "Take one of the two away."
    case .duplicateAddress: "Give each an address of its own; until then the later one is left out."
    case .unknownField: "Correct the name, or take it out: it has no effect."
    case .ignoredField: "Nothing, if the object is meant for something else; else take it out."
    case .notEnforcedAsWritten:
      "Write it with principals, namespaces, serviceAccounts, ipBlocks and ports alone, or accept "
        + "the stricter form."
    default: "Correct it and apply it again; until then the last good version stays in force."
    }
  }
}

/// `a, b, c and 4 more`.
func listed(_ names: some Collection<String>) -> String {
  let shown = Array(names.sorted().prefix(Limit.names))
  if names.count > shown.count {
    return shown.joined(separator: ", ") + " and \(names.count - shown.count) more"
  }
  guard let last = shown.last, shown.count > 1 else { return shown.first ?? "nothing" }
  return shown.dropLast().joined(separator: ", ") + " and " + last
}

/// `1 pod`, `2 pods`.
func count(_ number: Int, _ noun: String) -> String {
  "\(number) \(noun)\(number == 1 ? "" : "s")"
}
