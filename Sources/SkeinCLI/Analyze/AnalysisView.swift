import MeshAnalysis
import MeshCompiler
import Telemetry

/// What an analysis found, for people and programs.
struct AnalysisView: Encodable {
  struct Item: Encodable {
    var code: String
    var severity: String
    var kind: String
    var namespace: String
    var name: String
    var file: String
    var document: Int
    var line: Int
    var field: String
    var message: String
    var nextStep: String
  }

  let bounded: BoundedFindings
  /// Kinds that the caller may not list.
  let notRead: [String]

  init(_ bounded: BoundedFindings, notRead: [String]) {
    self.bounded = bounded
    self.notRead = notRead
  }

  private enum CodingKeys: CodingKey {
    case findings, more, counts, notRead
  }

  func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodingKeys.self)
    try container.encode(bounded.findings.map(Item.init), forKey: .findings)
    let more = bounded.more.map { ($0.key.rawValue, $0.value) }
    try container.encode(Dictionary(uniqueKeysWithValues: more), forKey: .more)
    let counts = Severity.allCases.map { ($0.rawValue, bounded.counts[$0] ?? 0) }
    try container.encode(Dictionary(uniqueKeysWithValues: counts), forKey: .counts)
    try container.encode(notRead, forKey: .notRead)
  }

  /// Three lines for each finding: what and where, the sentence, the next step.
  func text(colours: Bool) -> String {
    var lines: [String] = []
    for (index, finding) in bounded.findings.enumerated() {
      let word = finding.severity.tone.paint(finding.severity.rawValue, colours: colours)
      let place = [finding.object?.description, finding.field, finding.place].compactMap(\.self)
        .filter { !$0.isEmpty }.joined(separator: "  ")
      lines += [
        "\(finding.code.rawValue) \(word)  \(place)", "  \(finding.message)",
        "  -> \(finding.nextStep)",
      ]
      let next = index + 1 < bounded.findings.count ? bounded.findings[index + 1].code : nil
      if next != finding.code, let more = bounded.more[finding.code] {
        lines.append("\(finding.code.rawValue) and \(more) more")
      }
    }
    lines.append(summary)
    return lines.joined(separator: "\n") + "\n"
  }

  private var summary: String {
    let counts = Severity.allCases.reversed().map { severity in
      let count = bounded.counts[severity] ?? 0
      return "\(count) \(severity.rawValue)\(count == 1 || severity == .info ? "" : "s")"
    }
    return counts.joined(separator: ", ")
  }
}

extension AnalysisView.Item {
  fileprivate init(_ finding: Finding) {
    code = finding.code.rawValue
    severity = finding.severity.rawValue
    kind = finding.object?.kind ?? ""
    namespace = finding.object?.namespace ?? ""
    name = finding.object?.name ?? ""
    file = finding.file
    document = finding.document
    line = finding.line
    field = finding.field
    message = finding.message
    nextStep = finding.nextStep
  }
}

extension Finding {
  /// `app.yaml:12`; empty for an object of a cluster.
  fileprivate var place: String {
    file.isEmpty ? "" : line > 0 ? "\(file):\(line)" : file
  }
}

extension Severity {
  fileprivate var tone: Table.Tone {
    switch self {
    case .info: .plain
    case .warning: .warning
    case .error: .bad
    }
  }
}
