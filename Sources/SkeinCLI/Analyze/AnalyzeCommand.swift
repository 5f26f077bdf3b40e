import ArgumentParser
import Commands
import KubernetesClient
import MeshAnalysis
import MeshCompiler

struct AnalyzeCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "analyze",
    abstract:
      "Find what is wrong with the objects of a cluster, or of files before they are applied.",
    discussion: """
      Each finding has a code, which docs/analyze.md explains, and the next step. Files are a \
      change on top of the cluster: said is what is wrong with their objects, and what they break \
      elsewhere. Nothing is written.

      Examples:
        \(Program.name) analyze
        \(Program.name) analyze -n shop --severity warning
        \(Program.name) analyze app.yaml policies/
        \(Program.name) analyze --use-cluster=false k8s/ --fail-on warning

      Exit codes: 0 nothing as grave as --fail-on, 1 something is, 2 could not look.
      """)

  @Argument(help: "Files, or directories of .yaml, .yml and .json files.")
  var paths: [String] = []

  @Option(name: [.customShort("n"), .long], help: "Say only what is about this namespace.")
  var namespace: String?

  @Flag(name: [.customShort("A"), .long], help: "Say what is about all namespaces: the default.")
  var allNamespaces = false

  @Option(help: ArgumentHelp("Look at the cluster too.", valueName: "true|false"))
  var useCluster = true

  @Option(help: "The least to say: info, warning or error.")
  var severity = Gravity.info

  @Option(help: "From where on the exit code is 1: info, warning or error.")
  var failOn = Gravity.error

  @OptionGroup var connection: ConnectionOptions
  @OptionGroup var mesh: MeshOptions
  @OptionGroup var format: OutputOptions

  func validate() throws {
    guard useCluster || !paths.isEmpty else {
      throw ValidationError("give files or directories, or leave --use-cluster=false out")
    }
    guard namespace == nil || !allNamespaces else {
      throw ValidationError("give either --namespace or --all-namespaces")
    }
  }

  func run() async throws {
    let view: AnalysisView
    do {
      view = try await look()
    } catch {
      StandardError.write("\(Program.name): \(error)")
      throw couldNotLook
    }
    switch format.output {
    case .json: print(try jsonText(of: view))
    case .table: print(view.text(colours: format.colours), terminator: "")
    }
    for kind in view.notRead {
      StandardError.write("\(Program.name): \(kind) were not read, and nothing is said of them")
    }
    if view.bounded.has(atLeast: failOn.severity) { throw unhealthy }
  }

  private func look() async throws -> AnalysisView {
    let files = try ManifestFiles(paths)
    guard useCluster else {
      let input = AnalysisInput(objects: files.objects, options: mesh.options)
      return view(of: findings(inText: files.diagnostics) + analyze(input), notRead: [])
    }
    let cluster = try await connection.options.withClient { client in
      try await ClusterReading(client)
    }
    let base = AnalysisInput(
      objects: cluster.objects, options: mesh.options,
      completeness: .whole(unread: Set(cluster.forbidden.keys)))
    let found =
      paths.isEmpty ? analyze(base) : analyze(change: files.objects, on: base)
    return view(
      of: findings(inText: files.diagnostics) + found, notRead: cluster.forbidden.values.sorted())
  }

  private func view(of findings: [Finding], notRead: [String]) -> AnalysisView {
    let shown = findings.filter { finding in
      guard finding.severity >= severity.severity else { return false }
      guard let namespace, let object = finding.object else { return true }
      return (object.namespace.isEmpty ? object.name : object.namespace) == namespace
    }
    return AnalysisView(BoundedFindings(shown.sorted()), notRead: notRead)
  }
}

/// A severity as a word of the command line.
enum Gravity: String, ExpressibleByArgument, CaseIterable {
  case info, warning, error

  var severity: Severity {
    switch self {
    case .info: .info
    case .warning: .warning
    case .error: .error
    }
  }
}

/// A command that could not look at what it was asked about.
let couldNotLook = ExitCode(2)

/// Which cluster, for commands that are not about an installation.
struct ConnectionOptions: ParsableArguments {
  @Option(help: "The kubeconfig file. (default: KUBECONFIG, then ~/.kube/config)")
  var kubeconfig: String?

  @Option(help: "The context of the kubeconfig. (default: its current one)")
  var context: String?

  @Option(help: "The longest to wait for an answer. (default: 30s)")
  var timeout: DurationArgument?

  var options: ClusterOptions {
    var options = ClusterOptions()
    options.kubeconfig = kubeconfig
    options.context = context
    options.namespace = ""
    options.timeout = timeout
    return options
  }
}

/// The settings of the mesh that no object holds, as control plane and node agents are told them.
struct MeshOptions: ParsableArguments {
  @Option(help: "The first part of every identity.")
  var trustDomain = "cluster.local"

  @Option(help: "The last part of every service's host name.")
  var clusterDomain = "cluster.local"

  @Flag(help: "The mesh runs with --enroll-injection-label.")
  var enrollInjectionLabel = false

  var options: CompilerOptions {
    CompilerOptions(
      clusterDomain: clusterDomain, trustDomain: trustDomain,
      enrolsInjectionLabel: enrollInjectionLabel)
  }
}
