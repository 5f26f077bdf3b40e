import Linux

/// Runs a system command and waits for it.
func runCommand(_ path: String, _ arguments: [String]) throws {
  let process = try ChildProcess(
    path: path, arguments: arguments,
    environment: ["PATH=/usr/sbin:/usr/bin:/sbin:/bin"]
  ).spawn()
  let outcome = try process.wait()
  guard outcome == .exited(code: 0) else {
    throw CommandFailure(command: ([path] + arguments).joined(separator: " "), outcome: outcome)
  }
}

struct CommandFailure: Error {
  var command: String
  var outcome: ProcessOutcome
}

func ip(_ words: String) throws {
  try runCommand("/usr/sbin/ip", words.split(separator: " ").map(String.init))
}
