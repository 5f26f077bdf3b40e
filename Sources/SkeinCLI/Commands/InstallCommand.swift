import ArgumentParser
import Commands
import KubernetesClient
import Linux
import MeshModel

extension Profile: ExpressibleByArgument {}

struct InstallCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "install",
    abstract: "Install the mesh on a cluster, or bring an installation up to date.",
    discussion: """
      Applies the objects of manifests/, which are part of this program, and waits until every node's \
      agent is ready and the mesh is healthy. Run again, it changes what is different: another image \
      is an upgrade, one node at a time. Options that are not given stay as they were.

      Profiles: default is manifests/ as they are, two replicas and the CNI plugin; minimal has one \
      replica and no CNI plugin; demo has one replica and enrols namespaces labelled \
      istio-injection=enabled.

      Examples:
        \(Program.name) install --image registry.example/skein:0.1.0
        \(Program.name) install --image registry.example/skein:0.1.0 --profile demo
        \(Program.name) install --image registry.example/skein:0.1.0 --dry-run | kubectl apply -f -
      """)

  @Option(help: "minimal, default or demo. (default: the one that is installed, or default)")
  var profile: Profile?

  @Option(help: "The image of the programs. (default: the one that is installed)")
  var image: String?

  @Flag(help: "Forget the options of earlier runs; the image stays.")
  var reset = false

  @Flag(help: "Print the objects as YAML; ask and change nothing.")
  var dryRun = false

  @Option(help: "Whether to wait until the mesh is healthy: true or false.")
  var wait = true

  @OptionGroup(title: "What is set") var options: InstallationOptions
  @OptionGroup var cluster: ClusterOptions
  @OptionGroup var format: OutputOptions

  func validate() throws {
    guard !dryRun || image != nil else {
      throw ValidationError("--dry-run asks no cluster: give --image")
    }
  }

  func run() async throws {
    try await reporting {
      if dryRun {
        let plan = InstallationPlan(
          InstallationSettings(namespace: cluster.namespace, image: image ?? "", choices: choices))
        return print(plan.objects.map(\.yaml).joined(separator: "---\n"), terminator: "")
      }
      let status = try await cluster.withClient { client in
        let installer = Installer(
          installation: Installation(client, cluster),
          deadline: MonotonicClock.now() + cluster.changeTime
        ) { StandardError.write($0) }
        let settings = try await installer.settings(image: image, choices, forgetting: reset)
        try await installer.apply(InstallationPlan(settings))
        return wait ? try await installer.waitUntilHealthy() : nil
      }
      guard let status else { return }
      switch format.output {
      case .json: print(try jsonText(of: status))
      case .table: print(status.text(colours: format.colours), terminator: "")
      }
    }
  }

  private var choices: InstallationChoices {
    var choices = options.choices
    choices.profile = profile
    return choices
  }
}

/// What differs between clusters.
struct InstallationOptions: ParsableArguments {
  @Option(help: "Replicas of the control plane. (default: the profile's)")
  var replicas: Int?

  @Flag(inversion: .prefixedNo, help: "Enrol namespaces labelled istio-injection: enabled too.")
  var enrollInjectionLabel: Bool?

  @Option(help: "The first part of every identity. (default: cluster.local)")
  var trustDomain: String?

  @Option(help: "The nodes' folder of CNI networks. (default: /etc/cni/net.d)")
  var cniConfDir: String?

  @Option(help: "The nodes' folder of CNI plugins. (default: /opt/cni/bin)")
  var cniBinDir: String?

  @Option(help: "The process that probes pods on the nodes. (default: kubelet)")
  var probeProcess: String?

  var choices: InstallationChoices {
    var choices = InstallationChoices()
    choices.replicas = replicas
    choices.enrollInjectionLabel = enrollInjectionLabel
    choices.trustDomain = trustDomain
    choices.cniConfDir = cniConfDir
    choices.cniBinDir = cniBinDir
    choices.probeProcess = probeProcess
    return choices
  }

  func validate() throws {
    if let replicas, !(1...9).contains(replicas) {
      throw ValidationError("--replicas is from 1 to 9, not \(replicas)")
    }
    for (flag, path) in [("--cni-conf-dir", cniConfDir), ("--cni-bin-dir", cniBinDir)] {
      guard path?.hasPrefix("/") ?? true else {
        throw ValidationError("\(flag) is an absolute path on the nodes")
      }
    }
  }
}
