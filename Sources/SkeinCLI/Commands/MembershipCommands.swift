import ArgumentParser
import Commands
import Linux
import MeshModel
import Telemetry

struct EnrollCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "enroll",
    abstract: "Bring namespaces into the mesh, and wait for their pods.",
    discussion: """
      Sets the label istio.io/dataplane-mode=ambient; running pods are captured without a restart. \
      Pods that are not covered, such as those with hostNetwork, are named. Exits 1 when a pod is not \
      enrolled in time.

      Examples:
        \(Program.name) enroll shop
        \(Program.name) enroll shop billing --wait=false
        \(Program.name) enroll shop --dry-run
      """)

  @OptionGroup var change: MembershipOptions

  func run() async throws { try await change.run(.enrolled) }
}

struct ReleaseCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "release",
    abstract: "Take namespaces out of the mesh, and wait for their pods.",
    discussion: """
      Takes the label istio.io/dataplane-mode away; the pods' traffic is then as it was before the \
      mesh. A pod with the label of its own stays, and is named. Exits 1 when a pod is not released in \
      time.

      Examples:
        \(Program.name) release shop
        \(Program.name) release shop --dry-run
      """)

  @OptionGroup var change: MembershipOptions

  func run() async throws { try await change.run(.released) }
}

/// What both of them take, and do.
struct MembershipOptions: ParsableArguments {
  @Argument(help: ArgumentHelp("The namespaces.", valueName: "namespace-name"))
  var namespaces: [String]

  @Option(help: "Whether to wait until every running pod is as wanted: true or false.")
  var wait = true

  @Flag(help: "Say which pods it concerns; change nothing.")
  var dryRun = false

  @OptionGroup var cluster: ClusterOptions
  @OptionGroup var format: OutputOptions

  func run(_ membership: Membership) async throws {
    try await reporting {
      let results = try await cluster.withClient { client in
        try await carryOut(
          MembershipChange(
            installation: Installation(client, cluster), membership: membership,
            deadline: MonotonicClock.now() + cluster.changeTime))
      }
      try write(results, membership)
      if wait, !dryRun, results.contains(where: { !$0.isDone }) { throw unhealthy }
    }
  }

  private func carryOut(_ change: MembershipChange) async throws -> [MembershipProgress] {
    // All names are looked at before anything is changed.
    var results: [MembershipProgress] = []
    for name in namespaces {
      let coverage = try await change.coverage(of: name)
      results.append(
        MembershipProgress(coverage, as: change.membership, states: [:], problems: [:]))
    }
    if dryRun { return results }
    for name in namespaces { try await change.label(name) }
    guard wait else { return results }
    results = []
    for name in namespaces {
      results.append(try await change.wait(for: name) { StandardError.write($0) })
    }
    return results
  }

  private func write(_ results: [MembershipProgress], _ membership: Membership) throws {
    if format.output == .json { return print(try jsonText(of: results)) }
    let isKnown = wait && !dryRun
    var table = Table(columns: [
      "NAMESPACE", "PODS", membership.rawValue.uppercased(), "NOT COVERED",
    ])
    table.rows = results.map { result in
      [
        Table.Cell(result.namespace), Table.Cell("\(result.pods)"),
        isKnown
          ? Table.Cell("\(result.done)", result.isDone ? .good : .bad) : Table.Cell("not looked"),
        Table.Cell("\(result.uncovered.count)", result.uncovered.isEmpty ? .plain : .warning),
      ]
    }
    print(table.rendered(colours: format.colours), terminator: "")
    for result in results {
      let waiting = isKnown ? result.waiting : []
      for pod in (waiting + result.uncovered).prefix(Limit.namedPods) {
        print(
          "\(result.namespace)/\(pod.name) on \(pod.node): \(pod.state)"
            + (pod.reason.map { ", \($0)" } ?? ""))
      }
    }
    if dryRun { print("nothing was changed") }
  }
}
