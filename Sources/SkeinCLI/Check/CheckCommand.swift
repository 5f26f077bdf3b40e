import ArgumentParser
import Commands
import MeshAnalysis
import Telemetry

struct CheckCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "check",
    abstract: "Say whether a cluster has what the mesh needs, and which setting to change.",
    discussion: """
      Looks at the version, every node's kernel and taints, the pods' network, sidecar injectors, \
      NetworkPolicies, the namespace of the installation and your rights; before an installation \
      or after it. Nothing is changed.

      Examples:
        \(Program.name) check
        \(Program.name) check -o json

      Exit codes: 0 nothing is in the way, 1 something is, 2 could not look.
      """)

  @OptionGroup var cluster: ClusterOptions
  @OptionGroup var mesh: MeshOptions
  @OptionGroup var format: OutputOptions

  func run() async throws {
    let view: CheckView
    do {
      view = try await cluster.withClient { client -> CheckView in
        var facts = try await ClusterFacts(client, namespace: cluster.namespace, mesh.options)
        if !facts.unread.contains(.pod) {
          facts.features = try await Installation(client, cluster).features()
        }
        return CheckView(findings: prerequisites(facts))
      }
    } catch {
      StandardError.write("\(Program.name): \(error)")
      throw couldNotLook
    }
    switch format.output {
    case .json: print(try jsonText(of: view))
    case .table: print(view.text(colours: format.colours), terminator: "")
    }
    if !view.isSufficient { throw unhealthy }
  }
}

/// What a check found, for people and programs.
struct CheckView: Encodable {
  struct Item: Encodable {
    var area: String
    var subject: String
    var outcome: String
    var message: String
    var nextStep: String
  }

  let findings: [Prerequisite]

  var isSufficient: Bool { !findings.contains { $0.outcome == .bad } }

  private enum CodingKeys: CodingKey {
    case findings, isSufficient
  }

  func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodingKeys.self)
    let items = findings.map { found in
      Item(
        area: found.area.rawValue, subject: found.subject, outcome: found.outcome.rawValue,
        message: found.message, nextStep: found.nextStep)
    }
    try container.encode(items, forKey: .findings)
    try container.encode(isSufficient, forKey: .isSufficient)
  }

  /// A table, and below it what to change, the gravest first.
  func text(colours: Bool) -> String {
    var table = Table(columns: ["AREA", "SUBJECT", "STATE", "FOUND"])
    table.rows = findings.map { found in
      [
        Table.Cell(found.area.rawValue), Table.Cell(found.subject),
        Table.Cell(found.outcome.rawValue, found.outcome.tone), Table.Cell(found.message),
      ]
    }
    let grave = findings.filter { !$0.nextStep.isEmpty }
      .sorted { $0.outcome == .bad && $1.outcome != .bad }
    let steps = grave.map { found in
      "\(found.area.rawValue), \(found.subject): \(found.message)\n  -> \(found.nextStep)\n"
    }
    let rendered = table.rendered(colours: colours)
    return steps.isEmpty ? rendered : rendered + "\n" + steps.joined()
  }
}

extension Prerequisite.Outcome {
  fileprivate var tone: Table.Tone {
    switch self {
    case .good: .good
    case .warning: .warning
    case .bad: .bad
    case .unknown: .plain
    }
  }
}
