/// Puts findings in order; of too many, the gravest are kept.
struct DiagnosticOrder {
  private var found: [Diagnostic] = []
  private var count = 0
  /// Once there are too many: the last one that is kept so far.
  private var last: Diagnostic?

  mutating func add(_ diagnostics: [Diagnostic]) {
    count += diagnostics.count
    for diagnostic in diagnostics {
      if let last, !Self.isBefore(diagnostic, last) { continue }
      found.append(diagnostic)
      if found.count >= 2 * Limit.diagnostics { cut() }
    }
  }

  /// By file, document, line, field and message.
  var kept: [Diagnostic] {
    guard count > Limit.diagnostics else { return found.sorted() }
    var order = self
    order.cut()
    order.found.append(
      Diagnostic(
        .warning, .ignored, file: "",
        message: "\(count - Limit.diagnostics) more findings are not shown"))
    return order.found.sorted()
  }

  private mutating func cut() {
    found.sort(by: Self.isBefore)
    found = Array(found.prefix(Limit.diagnostics))
    last = found.last
  }

  private static func isBefore(_ a: Diagnostic, _ b: Diagnostic) -> Bool {
    a.severity == b.severity ? a < b : a.severity > b.severity
  }
}
