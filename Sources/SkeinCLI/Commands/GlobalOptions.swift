import ArgumentParser
import Commands
import FoundationEssentials
import KubernetesClient
import Linux
import MeshModel

/// Which cluster, and where in it the mesh is installed.
struct ClusterOptions: ParsableArguments {
  @Option(help: "The kubeconfig file. (default: KUBECONFIG, then ~/.kube/config)")
  var kubeconfig: String?

  @Option(help: "The context of the kubeconfig. (default: its current one)")
  var context: String?

  @Option(name: [.customShort("n"), .long], help: "The namespace the mesh is installed in.")
  var namespace = "skein-system"

  @Option(
    help: "The longest to wait, for an answer or for what was begun. (default: 30s; 5m for changes)"
  )
  var timeout: DurationArgument?

  func validate() throws {
    if let timeout, timeout.duration <= .zero {
      throw ValidationError("--timeout is a length of time such as 30s, not \(timeout)")
    }
  }

  /// For one question and its answer.
  var answerTime: Duration { min(timeout?.duration ?? Limit.answerTime, Limit.longestAnswerTime) }
  /// For something to become true.
  var changeTime: Duration { timeout?.duration ?? Limit.changeTime }

  func configuration() throws(KubernetesError) -> ClusterConfiguration {
    let environment = ProcessInfo.processInfo.environment
    let place = KubeconfigPlace.found(flag: kubeconfig, environment, exists: File.exists)
    switch place {
    case .file(let path):
      return try .kubeconfig(path, context: context, askingProgramsIn: environment)
    case .ownPod: return try .inCluster(environment: environment)
    }
  }

  /// Runs `body` with a client of the cluster.
  func withClient<Value>(
    _ body: (KubernetesClient) async throws -> Value
  ) async throws -> Value {
    var timing = KubernetesClient.Timing()
    timing.request = answerTime
    timing.connect = min(timing.connect, answerTime)
    let client = try KubernetesClient(try configuration(), timing: timing)
    do {
      let value = try await body(client)
      await client.shutDown()
      return value
    } catch {
      await client.shutDown()
      throw error
    }
  }
}

/// Where the cluster is described.
enum KubeconfigPlace: Equatable {
  case file(String)
  /// By the service account of the pod we are in.
  case ownPod

  /// Of several files in KUBECONFIG the first that is there.
  static func found(
    flag: String?, _ environment: [String: String], exists: (String) -> Bool
  ) -> KubeconfigPlace {
    if let flag { return .file(flag) }
    if let list = environment["KUBECONFIG"], !list.isEmpty {
      let paths = list.split(separator: ":").map(String.init)
      return .file(paths.first(where: exists) ?? paths.first ?? list)
    }
    let own = "\(environment["HOME"] ?? "")/.kube/config"
    if exists(own) || environment["KUBERNETES_SERVICE_HOST"] == nil { return .file(own) }
    return .ownPod
  }
}

/// How what was found is shown.
struct OutputOptions: ParsableArguments {
  @Option(name: [.customShort("o"), .long], help: "table or json.")
  var output = OutputFormat.table

  @Option(name: .customLong("color"), help: "Colours: auto (on a terminal), always or never.")
  var colour = ColourChoice.auto

  var colours: Bool {
    colour.shows(
      onTerminal: StandardOutput.isTerminal,
      noColor: ProcessInfo.processInfo.environment["NO_COLOR"])
  }
}

extension ParsableArguments {
  /// Runs `body`; what it throws is written in one line, and is exit code 1.
  func reporting(_ body: () async throws -> Void) async throws {
    do {
      try await body()
    } catch let code as ExitCode {
      throw code
    } catch {
      StandardError.write("\(Program.name): \(error)")
      throw unhealthy
    }
  }
}
