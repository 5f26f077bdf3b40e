import ArgumentParser
import Commands
import ControlAPI
import MeshCompiler
import MeshModel
import Telemetry
import Testing

@testable import NodeAgent

private func environment(
  _ variables: [String: String], files: Set<String> = []
) -> RunEnvironment {
  RunEnvironment(variables: variables) { files.contains($0) }
}

private func settings(
  _ words: [String], _ variables: [String: String] = [:], files: Set<String> = []
) throws -> RunSettings {
  let environment = environment(variables, files: files)
  return try RunCommand.$environment.withValue(environment) {
    let words = ["run", "--state-dir", "s"] + words
    let run = try #require(try NodeAgentCommand.parseAsRoot(words) as? RunCommand)
    return try run.settings(in: environment)
  }
}

@Suite struct `What a command line says of connections that live` {
  @Test func `is that they go on for ten minutes, unless it says otherwise`() throws {
    let words = ["--node", "a", "--config", "m"]
    #expect(
      try settings(words).connections
        == ConnectionSettings(mode: .grandfather, deadline: .seconds(600)))
    let wait = try settings(
      words + ["--existing-connections", "wait", "--existing-connections-deadline", "90s"]
    ).connections
    #expect(wait == ConnectionSettings(mode: .wait, deadline: .seconds(90)))
    #expect(
      wait.following(ConnectionWish(mode: .reset))
        == ConnectionSettings(mode: .reset, deadline: .seconds(90)))
  }
}

@Suite struct `The control plane of a command line` {
  private let flags = [
    "--node", "a", "--xds-address", "istiod.istio-system.svc:15012", "--root-cert", "/r",
    "--token-file", "/t", "--cluster-id", "c1", "--network", "n1",
  ]

  private func controlPlane(_ settings: RunSettings) throws -> ControlPlaneSettings {
    guard case .controlPlane(let plane) = settings.source else {
      throw NotThere()
    }
    return plane
  }

  private struct NotThere: Error {}

  @Test func `comes from flags, and signs too unless another does`() throws {
    let settings = try settings(flags)
    let plane = try controlPlane(settings)
    #expect(plane.channel.address == ControlAddress("istiod.istio-system.svc:15012"))
    #expect(plane.channel.roots == .file("/r") && plane.channel.tokenFile == "/t")
    #expect(plane.channel.clusterID == "c1" && settings.clusterID == "c1")
    #expect(plane.network == "n1" && settings.configDirectory == nil)
    #expect(settings.authority == .service(plane.channel))
    let own = try NodeAgentTests.settings(flags + ["--ca-dir", "c"])
    #expect(own.authority == .directory("c"))
    let other = try NodeAgentTests.settings(flags + ["--ca-address", "[fd00::1]:1"])
    guard case .service(let channel) = other.authority else { throw NotThere() }
    #expect(channel.address == ControlAddress(host: "fd00::1", port: 1))
  }

  @Test func `comes from the environment that ztunnel's users know`() throws {
    let token = "/var/run/secrets/tokens/istio-token"
    let root = "/var/run/secrets/istio/root-cert.pem"
    let settings = try settings(
      [],
      [
        "NODE_NAME": "b", "XDS_ADDRESS": "https://istiod", "CLUSTER_ID": "c2", "NETWORK": "n2",
        "CLUSTER_DOMAIN": "d", "TRUST_DOMAIN": "t", "SECRET_TTL": "1h", "POD_NAME": "p",
        "POD_NAMESPACE": "ns", "INSTANCE_IP": "10.0.0.9", "ISTIO_META_X": "y",
        "XDS_HEADER_TENANT": "blue", "ALT_XDS_HOSTNAME": "other",
      ], files: [token, root])
    let plane = try controlPlane(settings)
    #expect(settings.node == "b" && settings.clusterID == "c2" && settings.clusterDomain == "d")
    #expect(settings.trustDomain == "t" && settings.leafLifetime == .seconds(3_600))
    #expect(plane.channel.address == ControlAddress(host: "istiod", port: 15_012))
    #expect(plane.channel.roots == .file(root) && plane.channel.tokenFile == token)
    #expect(plane.channel.headers == [.init("tenant", "blue")])
    #expect(plane.channel.serverName == "other")
    #expect(plane.podName == "p" && plane.podNamespace == "ns" && plane.address == "10.0.0.9")
    #expect(plane.metadata == ["X": "y"] && plane.network == "n2")
  }

  @Test func `prefers flags to the environment`() throws {
    let settings = try settings(
      flags,
      [
        "NODE_NAME": "b", "XDS_ADDRESS": "x", "CLUSTER_ID": "c2", "NETWORK": "n2",
        "AUTH_TOKEN": "secret", "XDS_ROOT_CA": "SYSTEM",
      ])
    let plane = try controlPlane(settings)
    #expect(settings.node == "a" && settings.clusterID == "c1" && plane.network == "n1")
    #expect(plane.channel.address.host == "istiod.istio-system.svc")
    #expect(plane.channel.tokenFile == "/t" && plane.channel.roots == .file("/r"))
    #expect(plane.channel.headers == [])
  }

  @Test func `takes roots and tokens as text, and the system's roots`() throws {
    let pem = "-----BEGIN CERTIFICATE-----"
    let words = ["--node", "a", "--xds-address", "x"]
    let inline = try controlPlane(
      settings(words, ["XDS_ROOT_CA": pem, "CA_ROOT_CA": "/c", "AUTH_TOKEN": "secret"]))
    #expect(inline.channel.roots == .text(pem) && inline.channel.tokenFile == nil)
    #expect(inline.channel.headers == [.init("authorization", "Bearer secret")])
    let system = "/etc/ssl/certs/ca-certificates.crt"
    let plane = try controlPlane(
      settings(words, ["XDS_ROOT_CA": "SYSTEM", "CA_ROOT_CA": "/c"], files: [system]))
    #expect(plane.channel.roots == .file(system))
  }

  @Test func `may come with a cluster that says which pods are here`() throws {
    let own = try settings(flags + ["--kubernetes"])
    #expect(own.cluster == .ownPod && own.configDirectory == nil && !own.enrolsInjectionLabel)
    let other = try settings(
      flags + ["--kubernetes", "--kubeconfig", "/k", "--enroll-injection-label"])
    #expect(other.cluster == .file("/k") && other.enrolsInjectionLabel)
    #expect(other.compilerOptions.enrolsInjectionLabel && other.compilerOptions.clusterID == "c1")
    #expect(try settings(flags).cluster == nil)
  }

  @Test func `an empty XDS_ADDRESS is none`() throws {
    #expect(
      try settings(["--node", "a", "--config", "m"], ["XDS_ADDRESS": ""]).source == .manifests)
  }

  @Test(arguments: [
    ([], "give --node, or set NODE_NAME"),
    (["--node", "a"], "give --config with"),
    (["--node", "a", "--kubernetes"], "give --xds-address"),
    (
      ["--node", "a", "--kubernetes", "--config", "m", "--xds-address", "x", "--root-cert", "r"],
      "only one can say which pods are here"
    ),
    (["--node", "a", "--config", "m", "--kubeconfig", "k"], "--kubeconfig goes with --kubernetes"),
    (["--node", "a", "--xds-address", "x"], "give --root-cert, or set XDS_ROOT_CA"),
    (["--node", "a", "--xds-address", "http://x", "--root-cert", "r"], "with TLS always"),
    (["--node", "a", "--xds-address", "x:y", "--root-cert", "r"], "not \"x:y\""),
    (
      ["--node", "a", "--config", "m", "--ca-address", "x", "--ca-dir", "c"],
      "only one can sign"
    ),
  ]) func `is refused with what to do`(words: [String], reason: String) throws {
    #expect {
      try settings(words)
    } throws: {
      NodeAgentCommand.exitCode(for: $0) == .validationFailure
        && NodeAgentCommand.message(for: $0).contains(reason)
    }
  }
}

@Suite struct `The command line` {
  @Test func `runs with the promised defaults`() throws {
    let run = try #require(
      try NodeAgentCommand.parseAsRoot([
        "run", "--node", "a", "--config", "m", "--state-dir", "s",
      ]) as? RunCommand)
    let settings = try run.settings(in: environment([:]))
    #expect(settings.trustDomain == "cluster.local")
    #expect(settings.clusterDomain == "cluster.local")
    #expect(settings.clusterID == "Kubernetes")
    #expect(settings.drain == .seconds(25))
    #expect(settings.leafLifetime == .seconds(86_400))
    #expect(settings.logFormat == .text)
    #expect(settings.source == .manifests && settings.authority == .directory("s/ca"))
    #expect(settings.ztunnelPath == nil && settings.metricsAddress == nil)
  }

  @Test func `takes every option of run`() throws {
    let run = try #require(
      try NodeAgentCommand.parseAsRoot([
        "run", "--node", "a", "--config", "m", "--state-dir", "s", "--ca-dir", "c",
        "--trust-domain", "t", "--cluster-domain", "d", "--log-format", "json",
        "--metrics-address", "[::1]:15020", "--probe-cgroup", "/sys/fs/cgroup/k",
        "--leaf-lifetime", "10s", "--drain", "500ms", "--ztunnel", "/z",
      ]) as? RunCommand)
    #expect(run.metricsAddress?.address == SocketAddress("[::1]:15020"))
    #expect(run.drain.duration == .milliseconds(500))
    #expect(run.logFormat == .json)
  }

  @Test(arguments: [
    ["run", "--node", "a"], ["uninstall", "--node", ".."], ["uninstall", "--node", "a/.."],
    ["run", "--node", "a/b", "--config", "m", "--state-dir", "s"],
    ["run", "--node", "a", "--config", "m", "--state-dir", "s", "--leaf-lifetime", "9s"],
    ["run", "--node", "a", "--config", "m", "--state-dir", "s", "--drain", "soon"],
    ["run", "--node", "a", "--config", "m", "--state-dir", "s", "--existing-connections", "keep"],
    [
      "run", "--node", "a", "--config", "m", "--state-dir", "s", "--existing-connections-deadline",
      "0s",
    ],
    ["status", "everything"], ["status", "-o", "yaml"],
    ["explain", "--from", "a/b", "--to", "10.0.0.1"], ["check"], ["check", "m", "--system"],
    ["check", "m", "-o", "json"], ["nothing"],
  ]) func `refuses what it cannot mean`(words: [String]) {
    #expect {
      try NodeAgentCommand.parseAsRoot(words)
    } throws: {
      NodeAgentCommand.exitCode(for: $0) == .validationFailure
    }
  }

  @Test func `shows one section of status`() throws {
    let status = try #require(
      try NodeAgentCommand.parseAsRoot(["status", "pods", "--state-dir", "s", "-o", "json"])
        as? StatusCommand)
    #expect(status.section == .pods)
    #expect(status.output == .json)
  }

  @Test(arguments: [
    ("25s", Duration.seconds(25)), ("500ms", .milliseconds(500)), ("10m", .seconds(600)),
    ("24h", .seconds(86_400)), ("1h", .seconds(3_600)), ("90d", .seconds(90 * 86_400)),
    ("0s", .zero),
  ]) func `reads lengths of time and writes them back`(text: String, duration: Duration) throws {
    let argument = try #require(DurationArgument(argument: text))
    #expect(argument.duration == duration)
    #expect(argument.description == text)
  }

  @Test(arguments: ["", "s", "5", "-1s", "1.5s", "1w", "9999999999s", " 1s"])
  func `refuses other lengths of time`(text: String) {
    #expect(DurationArgument(argument: text) == nil)
  }

  @Test func `gives an example with every command`() {
    for command in NodeAgentCommand.configuration.subcommands where command != VersionCommand.self {
      #expect(
        command.configuration.discussion.contains(
          "node-agent \(command.configuration.commandName ?? "")"))
    }
  }
}

@Suite struct `The CNI plugin of a command line` {
  private let directories = ["--node", "a", "--config", "m", "--cni-conf-dir", "/c"]

  @Test func `is none unless it is told where runtimes look`() throws {
    #expect(try settings(["--node", "a", "--config", "m"]).cni == nil)
  }

  @Test func `is asked and listed in the state directory, by absolute paths`() throws {
    let cni = try #require(try settings(directories + ["--cni-bin-dir", "/b"]).cni)
    #expect(cni.configDirectory == "/c" && cni.programDirectory == "/b")
    #expect(cni.socket.hasPrefix("/") && cni.socket.hasSuffix("/s/cni.sock"))
    #expect(cni.enrolledFile.hasPrefix("/") && cni.enrolledFile.hasSuffix("/s/cni-enrolled.json"))
    #expect(cni.pluginPath == nil)
    let other = ["--cni-bin-dir", "/b", "--cni-socket", "/x", "--cni-plugin", "p"]
    let given = try #require(try settings(directories + other).cni)
    #expect(given.socket == "/x" && given.pluginPath == "p" && !given.isOpenWithoutList)
    let open = try settings(directories + ["--cni-bin-dir", "/b", "--cni-fail-open"])
    #expect(open.cni?.isOpenWithoutList == true)
  }

  @Test(arguments: [
    ["--cni-conf-dir", "/c"], ["--cni-bin-dir", "/b"], ["--cni-socket", "/s"],
    ["--cni-plugin", "/p"], ["--cni-fail-open"],
  ])
  func `is refused by halves`(words: [String]) throws {
    let error = #expect(throws: (any Error).self) {
      try settings(["--node", "a", "--config", "m"] + words)
    }
    let text = error.map { NodeAgentCommand.fullMessage(for: $0) } ?? ""
    #expect(text.contains("--cni-conf-dir and --cni-bin-dir together"), "\(text)")
    #expect(throws: (any Error).self) {
      try NodeAgentCommand.parseAsRoot(["uninstall", "--node", "a", "--cni-conf-dir", "/c"])
    }
  }
}
