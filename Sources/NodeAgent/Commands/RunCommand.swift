import ArgumentParser
import Commands
import FoundationEssentials
import Linux
import Telemetry

extension ExitPolicy: ExpressibleByArgument {}

struct RunCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "run",
    abstract: "Run the node agent: enrol the pods of this node that the manifests want.",
    discussion: """
      Starts and supervises ztunnel. SIGTERM and SIGINT drain, release the pods and leave nothing
      behind but the last state of a control plane and what a container runtime said of its pods;
      after a crash, run again or use `node-agent uninstall`.

      Without --xds-address the manifests are the whole mesh. With it the mesh comes from a control
      plane, istiod or ours, and the manifests only say which pods are here and where. With
      --kubernetes the cluster's API says which pods are here, and their processes say where.

      Examples:
        node-agent run --node a --config manifests/ --state-dir /run/skein/a
        node-agent run --node a --config manifests/ --state-dir /run/skein/a \\
          --ca-dir /etc/skein/ca --log-format json --metrics-address 127.0.0.1:15020
        node-agent run --node a --config pods/ --state-dir /run/skein/a \\
          --xds-address istiod.istio-system.svc:15012 --root-cert /etc/skein/root-cert.pem \\
          --token-file /var/run/secrets/tokens/istio-token
        node-agent run --kubernetes --state-dir /run/skein/state \\
          --xds-address control-plane.skein-system.svc:15012

      Environment, each less than its flag: NODE_NAME, XDS_ADDRESS, CA_ADDRESS, XDS_ROOT_CA,
      CA_ROOT_CA, AUTH_TOKEN, CLUSTER_ID, NETWORK, CLUSTER_DOMAIN, TRUST_DOMAIN, SECRET_TTL, CRL_PATH,
      ISTIO_META_DNS_CAPTURE;
      without a flag: POD_NAME, POD_NAMESPACE, SERVICE_ACCOUNT, INSTANCE_IP, ALT_XDS_HOSTNAME,
      ALT_CA_HOSTNAME, XDS_HEADER_*, CA_HEADER_*, ISTIO_META_*.
      """)

  @Option(help: "The name of this node, as in the pods' spec.nodeName. (default: NODE_NAME)")
  var node: String?

  @Option(name: .customLong("config"), help: "Directory of manifests, YAML or JSON; watched.")
  var configDirectory: String?

  @OptionGroup var cluster: ClusterOptions

  @Option(
    name: .customLong("state-dir"),
    help: "Directory for sockets and the last good state, made when absent; one node agent each.")
  var stateDirectory: String

  @Option(help: "Take the mesh from the control plane at HOST[:PORT]; delta discovery over TLS.")
  var xdsAddress: String?

  @Option(
    help: """
      Have certificates signed at HOST[:PORT]. (default: where the mesh comes from, unless --ca-dir \
      is given)
      """)
  var caAddress: String?

  @Option(help: "File with the bearer token for the control plane; read for every call.")
  var tokenFile: String?

  @Option(help: "PEM file with the roots that signed the control plane's certificate.")
  var rootCert: String?

  @Option(
    name: .customLong("ca-dir"),
    help: "Directory of the certificate authority, made on first use. (default: STATE-DIR/ca)")
  var caDirectory: String?

  @Option(name: .customLong("cluster-id"), help: "This cluster's name. (default: Kubernetes)")
  var clusterID: String?

  @Option(help: "The network this node's pods are in, as the control plane names it.")
  var network: String?

  @Option(help: "The first part of every identity. (default: cluster.local)")
  var trustDomain: String?

  @OptionGroup var trust: TrustOptions

  @Option(help: "The last part of every service's host name. (default: cluster.local)")
  var clusterDomain: String?

  @Option(
    help: "Answer the pods' DNS queries for names of the mesh: on or off. (default: on)")
  var dnsCapture: OnOff?

  @Option(help: "How logs are written to standard output: text or json.")
  var logFormat = LogFormat.text

  @Option(help: "Serve Prometheus metrics at HOST:PORT/metrics.")
  var metricsAddress: AddressArgument?

  @Option(help: "Cgroup of the prober (kubelet); its connections reach applications untouched.")
  var probeCgroup: String?

  @Option(help: "Name of the prober's process, whose cgroup is found and followed: kubelet.")
  var probeProcess: String?

  @Option(help: "Lifetime of workload certificates. (default: 24h)")
  var leafLifetime: DurationArgument?

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

  @Flag(
    help: """
      ztunnel is started by somebody else, in a cgroup of its own, as `ztunnel --agent \
      STATE-DIR/agent.sock`.
      """)
  var externalZtunnel = false

  @Option(
    help: """
      On SIGTERM drain and release the pods, or keep them captured and ztunnel running for the next \
      node agent: release or keep.
      """)
  var atExit = ExitPolicy.release

  @OptionGroup var connections: ConnectionOptions

  @OptionGroup var cni: CNIOptions

  /// Of this process; another one in tests.
  @TaskLocal static var environment = RunEnvironment(
    variables: ProcessInfo.processInfo.environment, hasFile: File.exists)

  func validate() throws {
    if probeCgroup != nil, probeProcess != nil {
      throw ValidationError("--probe-cgroup and --probe-process say the same twice: give one")
    }
    if externalZtunnel, ztunnelPath != nil || ztunnelCgroup != nil {
      throw ValidationError(
        "--external-ztunnel excludes --ztunnel and --ztunnel-cgroup: nothing is started here")
    }
    _ = try settings(in: Self.environment)
  }

  func run() async throws {
    do {
      try await runNode(try settings(in: Self.environment))
    } catch {
      StandardError.write("node-agent: \(error)\n")
      throw unhealthy
    }
  }
}

// MARK: What it means

extension RunCommand {
  private static let shortestLifetime: Duration = .seconds(10)

  /// The flags and the environment together.
  func settings(in environment: RunEnvironment) throws -> RunSettings {
    guard let node = node ?? environment["NODE_NAME"] else {
      throw ValidationError("\(SettingsError.missing(flag: "--node", variable: "NODE_NAME"))")
    }
    try validateNodeName(node)
    let clusterID =
      clusterID ?? environment["CLUSTER_ID"] ?? environment["ISTIO_META_CLUSTER_ID"]
      ?? "Kubernetes"
    do throws(SettingsError) {
      let source = try source(in: environment, clusterID: clusterID)
      if configDirectory != nil, cluster.kubernetes { throw .twoPlacements }
      if source == .manifests, cluster.kubernetes { throw .clusterWithoutMesh }
      if source == .manifests, configDirectory == nil { throw .noMesh }
      return RunSettings(
        node: node, configDirectory: configDirectory, cluster: cluster.source,
        enrolsInjectionLabel: cluster.enrollInjectionLabel, stateDirectory: stateDirectory,
        source: source, authority: try authority(in: environment, clusterID: clusterID),
        trustDomain: trustDomain ?? environment["TRUST_DOMAIN"] ?? "cluster.local",
        trust: try trust.settings(
          in: environment, own: trustDomain ?? environment["TRUST_DOMAIN"] ?? "cluster.local"),
        clusterDomain: clusterDomain ?? environment["CLUSTER_DOMAIN"] ?? "cluster.local",
        clusterID: clusterID, logFormat: logFormat, metricsAddress: metricsAddress?.address,
        prober: prober, leafLifetime: try lifetime(in: environment),
        drain: drain.duration, ztunnelPath: ztunnelPath, ztunnelCgroup: ztunnelCgroup,
        isZTunnelExternal: externalZtunnel, atExit: atExit,
        daemonSet: cluster.daemonSetName, connections: connections.settings,
        dnsCapture: dnsCapture.map { $0 == .on } ?? environment.dnsCapture,
        cni: try cni.settings(
          stateDirectory: stateDirectory, current: FileManager.default.currentDirectoryPath))
    } catch {
      throw ValidationError("\(error)")
    }
  }

  private var prober: ProberSetting? {
    probeCgroup.map { .cgroup($0) } ?? probeProcess.map { .process($0) }
  }

  private func lifetime(in environment: RunEnvironment) throws(SettingsError) -> Duration {
    if let leafLifetime {
      guard leafLifetime.duration >= Self.shortestLifetime else {
        throw .notALifetime(variable: "--leaf-lifetime", "\(leafLifetime)")
      }
      return leafLifetime.duration
    }
    guard let text = environment["SECRET_TTL"] else { return .seconds(24 * 3_600) }
    guard let argument = DurationArgument(argument: text),
      argument.duration >= Self.shortestLifetime
    else { throw .notALifetime(variable: "SECRET_TTL", text) }
    return argument.duration
  }

  private func source(
    in environment: RunEnvironment, clusterID: String
  ) throws(SettingsError) -> MeshSource {
    guard let address = xdsAddress ?? environment["XDS_ADDRESS"] else { return .manifests }
    let channel = try environment.channel(
      .init(prefix: "XDS", flag: "--xds-address"), address: address, rootFile: rootCert,
      tokenFile: tokenFile, clusterID: clusterID)
    return .controlPlane(
      ControlPlaneSettings(
        channel: channel, podName: environment["POD_NAME"] ?? "node-agent",
        podNamespace: environment["POD_NAMESPACE"] ?? "istio-system",
        serviceAccount: environment["SERVICE_ACCOUNT"] ?? "ztunnel",
        address: environment["INSTANCE_IP"] ?? "1.1.1.1",
        network: network ?? environment["NETWORK"] ?? "",
        metadata: environment.all(under: "ISTIO_META_")))
  }

  private func authority(
    in environment: RunEnvironment, clusterID: String
  ) throws(SettingsError) -> AuthoritySource {
    let discovery = xdsAddress ?? environment["XDS_ADDRESS"]
    if caAddress != nil, caDirectory != nil { throw .twoAuthorities }
    if let caDirectory { return .directory(caDirectory) }
    guard let address = caAddress ?? environment["CA_ADDRESS"] ?? discovery else {
      return .directory(stateDirectory + "/ca")
    }
    return .service(
      try environment.channel(
        .init(prefix: "CA", flag: "--ca-address"), address: address, rootFile: rootCert,
        tokenFile: tokenFile, clusterID: clusterID))
  }
}
