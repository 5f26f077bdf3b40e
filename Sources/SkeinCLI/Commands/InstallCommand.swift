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
      is an upgrade, one node at a time.

      Profiles: default is manifests/ as they are, two replicas and the CNI plugin; minimal has one \
      replica and no CNI plugin; demo has one replica and enrols namespaces labelled \
      istio-injection=enabled.

      Examples:
        \(Program.name) install --image registry.example/skein:0.1.0
        \(Program.name) install --image registry.example/skein:0.1.0 --profile demo
        \(Program.name) install --image registry.example/skein:0.1.0 --dry-run | kubectl apply -f -
      """)

  @Option(help: "minimal, default or demo.")
  var profile = Profile.default

  @Option(help: "The image of the programs. (default: the one that is installed)")
  var image: String?

  @Flag(help: "Print the objects as YAML; ask and change nothing.")
  var dryRun = false

  @Option(help: "Whether to wait until the mesh is healthy: true or false.")
  var wait = true

  @OptionGroup(title: "What is set") var choices: InstallationChoices
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
        let plan = InstallationPlan(try settings(image: image))
        return print(plan.objects.map(\.yaml).joined(separator: "---\n"), terminator: "")
      }
      let status = try await cluster.withClient { client in
        let installer = Installer(
          installation: Installation(client, cluster),
          deadline: MonotonicClock.now() + cluster.changeTime
        ) { StandardError.write($0) }
        var image = image
        if image == nil { image = try await installer.installedImage() }
        try await installer.apply(InstallationPlan(try settings(image: image)))
        return wait ? try await installer.waitUntilHealthy() : nil
      }
      guard let status else { return }
      switch format.output {
      case .json: print(try jsonText(of: status))
      case .table: print(status.text(colours: format.colours), terminator: "")
      }
    }
  }

  private func settings(image: String?) throws(InstallerError) -> InstallationSettings {
    guard let image else { throw .noImage }
    return InstallationSettings(
      namespace: cluster.namespace, profile: profile, image: image, replicas: choices.replicas,
      enrolsInjectionLabel: choices.enrollInjectionLabel, trustDomain: choices.trustDomain,
      cniNetworks: choices.cniConfDir, cniPlugins: choices.cniBinDir,
      probeProcess: choices.probeProcess)
  }
}

/// What differs between clusters.
struct InstallationChoices: ParsableArguments {
  @Option(help: "Replicas of the control plane. (default: the profile's)")
  var replicas: Int?

  @Flag(help: "Enrol namespaces labelled istio-injection: enabled too.")
  var enrollInjectionLabel = false

  @Option(help: "The first part of every identity. (default: cluster.local)")
  var trustDomain: String?

  @Option(help: "The nodes' folder of CNI networks. (default: /etc/cni/net.d)")
  var cniConfDir: String?

  @Option(help: "The nodes' folder of CNI plugins. (default: /opt/cni/bin)")
  var cniBinDir: String?

  @Option(help: "The process that probes pods on the nodes. (default: kubelet)")
  var probeProcess: String?

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
