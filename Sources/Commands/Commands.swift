/// What the command lines of our programs have in common: formats, lengths of time, colours, exit codes.
///
/// In: words of a command line. Out: values, and the way a command ends. Never here: what any one
/// command does.
public import ArgumentParser
import Linux

/// Of this source; `CHANGELOG.md` tells what each version changed.
public let skeinVersion = "0.1.0"

/// A command that did its work and found something unhealthy.
public let unhealthy = ExitCode(1)

extension ParsableCommand {
  /// Runs what the command line says; the exit codes are 0, 1 (unhealthy) and 2 (usage).
  public static func runFromCommandLine() async {
    do {
      var command = try parseAsRoot()
      if var asynchronous = command as? any AsyncParsableCommand {
        try await asynchronous.run()
      } else {
        try command.run()
      }
    } catch {
      end(with: error)
    }
  }

  /// ArgumentParser ends with 64 when the command line is wrong; ours is 2, as in most tools.
  private static func end(with error: any Error) -> Never {
    let code = exitCode(for: error)
    guard code == .validationFailure else { exit(withError: error) }
    StandardError.write(fullMessage(for: error))
    exit(withError: ExitCode(2))
  }
}

/// Where commands say what went wrong.
public enum StandardError {
  public static func write(_ text: String) {
    var line = text
    if line.hasSuffix("\n") { line.removeLast() }
    CurrentProcess.writeError(line)
  }
}
