import ArgumentParser
import MeshModel
import Testing

@testable import NodeAgent

@Suite struct `The command line` {
  @Test func `runs with the promised defaults`() throws {
    let run = try #require(
      try NodeAgentCommand.parseAsRoot([
        "run", "--node", "a", "--config", "m", "--state-dir", "s",
      ]) as? RunCommand)
    #expect(run.trustDomain == "cluster.local")
    #expect(run.clusterDomain == "cluster.local")
    #expect(run.drain.duration == .seconds(25))
    #expect(run.leafLifetime.duration == .seconds(86_400))
    #expect(run.logFormat == .text)
    #expect(run.caDirectory == nil && run.ztunnelPath == nil && run.metricsAddress == nil)
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
    ["status", "everything"], ["status", "-o", "yaml"],
    ["explain", "--from", "a/b", "--to", "10.0.0.1"], ["check"], ["check", "m", "--system"],
    ["nothing"],
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
    ("24h", .seconds(86_400)), ("0s", .zero),
  ]) func `reads lengths of time and writes them back`(text: String, duration: Duration) throws {
    let argument = try #require(DurationArgument(argument: text))
    #expect(argument.duration == duration)
    #expect(argument.description == text)
  }

  @Test(arguments: ["", "s", "5", "-1s", "1.5s", "1d", "9999999999s", " 1s"])
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
