import ArgumentParser
import Commands
import Linux
import Manifests
import MeshCompiler
import MeshModel
import Redirect
import Telemetry

struct CheckCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "check",
    abstract: "Check manifests, or this machine, without running anything.",
    discussion: """
      With a directory: the same findings as `run`, exit code 1 when there is an error. With
      --system: what this kernel offers, what each feature is for and what happens without it; exit
      code 1 when something needed is missing.

      Examples:
        node-agent check manifests/
        node-agent check --system
        node-agent check --system -o json
      """)

  @Argument(help: "Directory of manifests.")
  var directory: String?

  @Flag(help: "Check the kernel and the machine.")
  var system = false

  @Option(name: [.customShort("o"), .long], help: "table, or json with --system.")
  var output = OutputFormat.table

  @Option(help: "The first part of every identity.")
  var trustDomain = "cluster.local"

  @Option(help: "The last part of every service's host name.")
  var clusterDomain = "cluster.local"

  func validate() throws {
    guard (directory != nil) != system else {
      throw ValidationError("give a directory of manifests, or --system")
    }
    guard system || output == .table else {
      throw ValidationError("--output json goes with --system")
    }
  }

  func run() throws {
    guard let directory else { return try checkSystem() }
    let options = CompilerOptions(clusterDomain: clusterDomain, trustDomain: trustDomain)
    let compilation = ManifestDirectory(path: directory).read().compiled(options: options)
    for diagnostic in compilation.diagnostics { print(diagnostic) }
    let errors = compilation.diagnostics.count { $0.severity == .error }
    let model = compilation.model
    print(
      "\(model.workloads.count) workloads, \(model.services.count) services, "
        + "\(model.policies.count) policies, \(errors) errors")
    if compilation.hasErrors { throw unhealthy }
  }

  private func checkSystem() throws {
    let probed = KernelFeatures.probe()
    if output == .json {
      print(try jsonText(of: probed.features.map(FeatureReport.init)))
      if !probed.isSufficient { throw unhealthy }
      return
    }
    print(probed.table.rendered(colours: StandardOutput.isTerminal), terminator: "")
    for feature in probed.features {
      guard case .fails(let reason) = feature.outcome else { continue }
      print("\(feature.name): \(reason); without it: \(feature.otherwise)")
    }
    if !probed.isSufficient { throw unhealthy }
  }
}

extension KernelFeatures {
  var table: Table {
    var table = Table(columns: ["FEATURE", "NEEDED", "STATE", "PURPOSE", "WITHOUT IT"])
    table.rows = features.map { feature in
      let isRequired = feature.importance == .required
      let state: Table.Cell =
        feature.isWorking
        ? Table.Cell("works", .good) : Table.Cell("missing", isRequired ? .bad : .warning)
      return [
        Table.Cell(feature.name), Table.Cell(feature.importance.rawValue), state,
        Table.Cell(feature.purpose), Table.Cell(feature.otherwise),
      ]
    }
    return table
  }
}

/// One feature for programs.
struct FeatureReport: Encodable {
  let name: String
  let isRequired: Bool
  let isWorking: Bool
  let purpose: String
  let otherwise: String
  /// Why it does not work.
  let reason: String?

  init(_ feature: KernelFeature) {
    name = feature.name
    isRequired = feature.importance == .required
    isWorking = feature.isWorking
    purpose = feature.purpose
    otherwise = feature.otherwise
    if case .fails(let reason) = feature.outcome { self.reason = reason } else { reason = nil }
  }
}
