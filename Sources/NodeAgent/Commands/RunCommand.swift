import ArgumentParser

struct RunCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "run",
    abstract: "Run the node agent: enrol the pods of this node that the manifests want.",
    discussion: """
      Starts and supervises ztunnel. SIGTERM and SIGINT drain, release the pods and leave nothing
      behind; after a crash, run again or use `node-agent uninstall`.

      Examples:
        node-agent run --node a --config manifests/ --state-dir /run/skein/a
        node-agent run --node a --config manifests/ --state-dir /run/skein/a \\
          --ca-dir /etc/skein/ca --log-format json --metrics-address 127.0.0.1:15020
      """)

  @Option(help: "The name of this node, as in the pods' spec.nodeName.")
  var node: String

  @Option(name: .customLong("config"), help: "Directory of manifests, YAML or JSON; watched.")
  var configDirectory: String

  @Option(
    name: .customLong("state-dir"),
    help: "Directory for sockets, made when absent; one node agent each.")
  var stateDirectory: String

  @Option(
    name: .customLong("ca-dir"),
    help: "Directory of the certificate authority, made on first use. (default: STATE-DIR/ca)")
  var caDirectory: String?

  @Option(help: "The first part of every identity.")
  var trustDomain = "cluster.local"

  @Option(help: "The last part of every service's host name.")
  var clusterDomain = "cluster.local"

  @Option(help: "How logs are written to standard output: text or json.")
  var logFormat = LogFormat.text

  @Option(help: "Serve Prometheus metrics at HOST:PORT/metrics.")
  var metricsAddress: AddressArgument?

  @Option(help: "Cgroup of the prober (kubelet); its connections reach applications untouched.")
  var probeCgroup: String?

  @Option(help: "Lifetime of workload certificates.")
  var leafLifetime = DurationArgument(.seconds(24 * 3_600))

  @Option(help: "How long live connections may take to end on SIGTERM.")
  var drain = DurationArgument(.seconds(25))

  @Option(name: .customLong("ztunnel"), help: "Path of ztunnel. (default: beside node-agent)")
  var ztunnelPath: String?

  @Option(
    help: """
      Cgroup for ztunnel alone, for its limits and accounts; it exists, and stays at the end. \
      (default: one that is made and removed)
      """)
  var ztunnelCgroup: String?

  func validate() throws {
    try validateNodeName(node)
    guard leafLifetime.duration >= .seconds(10) else {
      throw ValidationError("--leaf-lifetime is at least 10s, not \(leafLifetime)")
    }
  }

  func run() async throws {
    let settings = RunSettings(
      node: node, configDirectory: configDirectory, stateDirectory: stateDirectory,
      caDirectory: caDirectory ?? stateDirectory + "/ca", trustDomain: trustDomain,
      clusterDomain: clusterDomain, logFormat: logFormat,
      metricsAddress: metricsAddress?.address, probeCgroup: probeCgroup,
      leafLifetime: leafLifetime.duration, drain: drain.duration, ztunnelPath: ztunnelPath,
      ztunnelCgroup: ztunnelCgroup)
    do {
      try await runNode(settings)
    } catch {
      StandardError.write("node-agent: \(error)\n")
      throw unhealthy
    }
  }
}
