import Foundation
package import Linux
import Synchronization
import TestSupport
package import Testing

/// A program that ran to its end.
package struct Output: Sendable {
  package var status: Int32
  package var standardOutput: String
  package var standardError: String

  /// The last line of standard output as a JSON object.
  package func json(_ location: SourceLocation = #_sourceLocation) throws -> JSON {
    let line = standardOutput.split(separator: "\n").last.map(String.init) ?? ""
    return try JSON(parsing: line, context: "\(standardOutput)\(standardError)", location)
  }
}

/// A program that runs beside the test until it ends or is stopped; its output goes to files.
package final class Running: Sendable {
  private struct State: ~Copyable {
    let process: ProcessHandle
    var input: OwnedDescriptor?
    var outcome: ProcessOutcome?
  }

  private let state: Mutex<State>
  private let command: String
  private let files: String
  package let processID: Int32

  package init(_ arguments: [String]) throws {
    command = arguments.joined(separator: " ")
    files = "/tmp/skein-command-\(UInt64.random(in: 0...UInt64.max))"
    let output = try OwnedDescriptor(creating: files + ".out")
    let error = try OwnedDescriptor(creating: files + ".err")
    let input = try Linux.Pipe()
    let environment = ProcessInfo.processInfo.environment.map { "\($0)=\($1)" }
    let process = try ChildProcess(
      path: "/bin/bash", arguments: ["-c", "exec \"$@\" <&3 3<&-", "bash"] + arguments,
      environment: environment, standardOutput: output.number, standardError: error.number,
      descriptors: [3: input.readEnd.number]
    ).spawn()
    processID = process.processID
    state = Mutex(State(process: process, input: input.takeWriteEnd(), outcome: nil))
  }

  deinit {
    unsafe unlink(files + ".out")
    unsafe unlink(files + ".err")
  }

  /// The program reads the end of its input.
  package func closeInput() {
    state.withLock { $0.input = nil }
  }

  package var standardOutput: String { text(of: files + ".out") }
  package var standardError: String { text(of: files + ".err") }

  private func text(of path: String) -> String {
    do { return try File.readText(path) } catch { return "unreadable: \(error)" }
  }

  /// How it ended; nil while it runs.
  package func outcome() throws -> ProcessOutcome? {
    try state.withLock { state in
      if state.outcome == nil { state.outcome = try state.process.exitStatus() }
      return state.outcome
    }
  }

  /// Waits until standard output holds `text`.
  package func waitFor(_ text: String, within limit: Duration = patience) async throws {
    do {
      try await eventually("“\(text)”", within: limit) { self.standardOutput.contains(text) }
    } catch {
      throw UnexpectedExit(
        command: "\(error) from \(command)",
        output: Output(status: -1, standardOutput: standardOutput, standardError: standardError))
    }
  }

  package func signal(_ signal: Signal) {
    do {
      try state.withLock { state in
        if state.outcome == nil { try state.process.send(signal) }
      }
    } catch {
      Issue.record("cannot signal \(command): \(error)")
    }
  }

  package func finish(within limit: Duration = patience) async throws -> Output {
    let deadline = ContinuousClock.now + limit
    while true {
      if let outcome = try outcome() {
        let status: Int32 = if case .exited(let code) = outcome { code } else { -1 }
        return Output(
          status: status, standardOutput: standardOutput, standardError: standardError)
      }
      if ContinuousClock.now > deadline {
        signal(.kill)
        throw TimedOut(what: "the end of \(command)\n\(standardError)", limit: limit)
      }
      try await Task.sleep(for: .milliseconds(5))
    }
  }
}

extension OwnedDescriptor {
  /// A new file, for a program to write to.
  fileprivate init(creating path: String) throws {
    let number = unsafe open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
    try #require(number >= 0, "cannot create \(path)")
    self.init(adopting: number)
  }
}

package struct TimedOut: Error, CustomStringConvertible {
  package var what: String
  package var limit: Duration
  package var description: String { "waited \(limit) for \(what)" }
}

/// Asks again every 20 ms until `condition` holds.
package func eventually(
  _ what: String, within limit: Duration = patience,
  _ condition: () async throws -> Bool
) async throws {
  let deadline = ContinuousClock.now + limit
  while try await !condition() {
    if ContinuousClock.now > deadline { throw TimedOut(what: what, limit: limit) }
    try await Task.sleep(for: .milliseconds(20))
  }
}

/// Runs a program to its end.
@discardableResult
package func run(
  _ arguments: String..., within limit: Duration = patience, expecting status: Int32? = 0
) async throws -> Output {
  try await run(arguments, within: limit, expecting: status)
}

@discardableResult
package func run(
  _ arguments: [String], within limit: Duration = patience, expecting status: Int32? = 0
) async throws -> Output {
  let output = try await Running(arguments).finish(within: limit)
  if let status, output.status != status {
    throw UnexpectedExit(command: arguments.joined(separator: " "), output: output)
  }
  return output
}

package struct UnexpectedExit: Error, CustomStringConvertible {
  package var command: String
  package var output: Output
  package var description: String {
    "\(command) ended with \(output.status)\n\(output.standardOutput)\(output.standardError)"
  }
}
