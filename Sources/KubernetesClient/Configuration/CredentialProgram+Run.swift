import Linux
import MeshModel

extension CredentialProgram {
  private static let variable = "KUBERNETES_EXEC_INFO"

  /// Asks the program, and waits for it; what it writes to standard error is seen by the user.
  ///
  /// Blocks: for commands of a person, before they do anything else. Its standard input is empty.
  func run(
    for cluster: ClusterConfiguration, environment: [String: String],
    within wait: Duration = Limit.credentialTime
  ) throws(KubernetesError) -> ClusterConfiguration.Credentials {
    let path = try find(in: environment["PATH"] ?? "")
    let question = String(decoding: self.question(for: cluster).json, as: UTF8.self)
    let added = self.environment.merging([Self.variable: question]) { _, last in last }
    let variables = environment.merging(added) { _, last in last }
    let answer: [UInt8]
    let outcome: ProcessOutcome
    do throws(LinuxError) {
      (answer, outcome) = try Self.output(
        path, arguments, variables.map { "\($0)=\($1)" }, MonotonicClock.now() + wait)
    } catch {
      throw failed("it cannot be run: \(error)\(hint)")
    }
    guard outcome == .exited(code: 0) else { throw failed("it \(outcome)") }
    return try credentials(in: answer)
  }

  private func find(in path: String) throws(KubernetesError) -> String {
    guard !command.contains("/") else { return command }
    let places = path.split(separator: ":").map { "\($0)/\(command)" }
    guard let place = places.first(where: File.exists) else {
      throw failed("it is in no directory of PATH\(hint)")
    }
    return place
  }

  private var hint: String { installHint.isEmpty ? "" : "; \(installHint)" }

  /// What a program writes, and how it ends; one that does neither in time is killed.
  private static func output(
    _ path: String, _ arguments: [String], _ environment: [String], _ deadline: Instant
  ) throws(LinuxError) -> ([UInt8], ProcessOutcome) {
    let pipe = try Pipe(blocks: true)
    var program = ChildProcess(
      path: path, arguments: arguments, environment: environment,
      standardOutput: pipe.writeEnd.number)
    // A terminal's interrupt ends it with us.
    program.startsSession = false
    let process = try program.spawn()
    let output = pipe.takeReadEnd()
    do throws(LinuxError) {
      let bytes = try output.readToEnd(path, atMost: Limit.credentialBytes, until: deadline)
      return (bytes, try process.wait(until: deadline))
    } catch {
      try process.send(.kill)
      _ = try process.wait()
      throw error
    }
  }
}
