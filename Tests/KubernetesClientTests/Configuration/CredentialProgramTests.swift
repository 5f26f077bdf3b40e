import KubernetesHarness
import Linux
import MeshCompiler
import MeshModel
import Testing

@testable import KubernetesClient

private let version = "client.authentication.k8s.io/v1"

/// A kubeconfig whose user is who `exec` says, and a script of that name beside it.
private struct Fixture {
  let directory: String
  var environment = ["PATH": "/nowhere:/usr/bin:/bin", "FROM": "ours", "KEPT": "yes"]

  func configuration(
    exec: String, others: String = "", script: String = "", name: String = "program"
  ) throws -> ClusterConfiguration {
    try File.replace(
      "\(directory)/\(name)", with: Array("#!/bin/sh\n\(script)\n".utf8), mode: 0o755)
    let text = """
      current-context: here
      contexts:
      - {name: here, context: {cluster: c, user: u}}
      clusters:
      - {name: c, cluster: {server: "https://k:6443", certificate-authority-data: cm9vdHM=}}
      users:
      - {name: u, user: {exec: {\(exec)}, \(others)}}
      """
    try File.replace("\(directory)/config", with: Array(text.utf8))
    return try .kubeconfig("\(directory)/config", askingProgramsIn: environment)
  }

  /// Why there are no credentials.
  func refusal(of row: `A program of a kubeconfig`.Row) -> KubernetesError? {
    #expect(throws: KubernetesError.self) {
      try configuration(exec: row.exec, others: row.others, script: row.script)
    }
  }
}

private func answer(_ status: String, of version: String = version) -> String {
  #"echo '{"kind":"ExecCredential","apiVersion":"\#(version)","status":{\#(status)}}'"#
}

private let usual = "apiVersion: \(version), command: ./program"

/// One after the other: a script that is written while another program is started is open in that one
/// for a moment too, and cannot be run until then (ETXTBSY).
@Suite(.serialized) struct `A program of a kubeconfig` {
  @Test(arguments: CredentialProgram.versions)
  func `gives a token`(version: String) async throws {
    try await withDirectory { directory in
      let found = try Fixture(directory: directory).configuration(
        exec: "apiVersion: \(version), command: ./program",
        script: answer(
          #""token":"secret","expirationTimestamp":"2030-01-01T00:00:00Z""#, of: version))
      #expect(found.credentials == .token("secret") && found.server == "https://k:6443")
    }
  }

  @Test func `but is not asked where the file itself says who`() async throws {
    try await withDirectory { directory in
      let found = try Fixture(directory: directory).configuration(
        exec: usual, others: "token: own", script: "touch \(directory)/asked; exit 1")
      #expect(found.credentials == .token("own") && !File.exists("\(directory)/asked"))
    }
  }

  @Test func `or a client certificate`() async throws {
    try await withDirectory { directory in
      let found = try Fixture(directory: directory).configuration(
        exec: usual,
        script: answer(#""clientCertificateData":"chain","clientKeyData":"key""#))
      #expect(
        found.credentials == .certificate(chain: Array("chain".utf8), key: Array("key".utf8)))
    }
  }

  @Test func `is found in PATH, with its arguments and variables, and is told of the cluster`()
    async throws
  {
    try await withDirectory { directory in
      var fixture = Fixture(directory: directory)
      fixture.environment["PATH"] = "/nowhere:\(directory):/usr/bin:/bin"
      fixture.environment["KUBERNETES_EXEC_INFO"] = "of somebody else"
      _ = try fixture.configuration(
        exec: "apiVersion: \(version), command: own, args: [a, b c], provideClusterInfo: true, "
          + "interactiveMode: IfAvailable, env: [{name: FROM, value: its}]",
        script: """
          printf '%s\\n' "$#" "$2" "$FROM" "$KEPT" "$KUBERNETES_EXEC_INFO" >\(directory)/seen
          \(answer(#""token":"t""#))
          """, name: "own")
      let question =
        #"{"apiVersion":"\#(version)","kind":"ExecCredential","spec":{"interactive":false,"#
        + #""cluster":{"server":"https://k:6443","certificate-authority-data":"cm9vdHM="}}}"#
      let seen = try File.readText("\(directory)/seen")
      #expect(seen == "2\nb c\nits\nyes\n\(question)\n")
    }
  }

  struct Row: Sendable {
    var script: String
    var exec = usual
    var others = ""
    var words: String
  }

  @Test(arguments: [
    Row(script: "exit 3", words: "exited with 3"),
    Row(script: "kill -9 $$", words: "killed by signal 9"),
    Row(script: "echo token", words: "not JSON"),
    Row(script: answer(#""token":"t""#, of: "other/v1"), words: "expected an ExecCredential"),
    Row(script: answer(#""token":"""#), words: "neither a token nor a client certificate"),
    Row(script: answer(#""clientKeyData":"k""#), words: "neither a token"),
    Row(script: "head -c 70000 /dev/zero", words: "File too large"),
    Row(
      script: "", exec: "apiVersion: \(version), command: no-such, installHint: get it there",
      words: "no directory of PATH; get it there"),
    Row(
      script: "", exec: "apiVersion: \(version), command: ./no-such, installHint: get it",
      words: "No such file or directory; get it"),
    Row(script: "", exec: "command: ./program", words: "exec.apiVersion: expected a value"),
    Row(
      script: "", exec: "apiVersion: client.authentication.k8s.io/v1alpha1, command: x",
      words: "found client.authentication.k8s.io/v1alpha1"),
    Row(script: "", exec: "\(usual), interactiveMode: Always", words: "exec.interactiveMode"),
    Row(script: "", exec: "apiVersion: \(version)", words: "exec.command: expected a value"),
    Row(script: "", others: "as: somebody", words: "users[0].user.as"),
    Row(script: "", exec: "\(usual), args: x", words: "exec.args: expected a list"),
    Row(script: "", exec: "\(usual), env: [{name: A}]", words: "exec.env[0].value"),
  ])
  func `that says nobody is told of by its name and what it did`(row: Row) async throws {
    try await withDirectory { directory in
      let refusal = Fixture(directory: directory).refusal(of: row)
      #expect(refusal?.description.contains(row.words) == true, "\(String(describing: refusal))")
    }
  }

  @Test func `that does not end is killed`() async throws {
    try await withDirectory { directory in
      let cluster = ClusterConfiguration(server: "https://k", authority: [], credentials: .none)
      let program = CredentialProgram(command: "/bin/sleep", arguments: ["60"], version: version)
      let error = #expect(throws: KubernetesError.self) {
        try program.run(for: cluster, environment: [:], within: .milliseconds(200))
      }
      #expect(error?.description.contains("timed out") == true, "\(String(describing: error))")
    }
  }
}
