import Foundation
import Synchronization
import Testing

/// A program that ran to its end.
struct Output: Sendable {
  var status: Int32
  var standardOutput: String
  var standardError: String

  /// The last line of standard output as a JSON object.
  func json(_ location: SourceLocation = #_sourceLocation) throws -> JSON {
    let line = standardOutput.split(separator: "\n").last.map(String.init) ?? ""
    return try JSON(parsing: line, context: "\(standardOutput)\(standardError)", location)
  }
}

/// A program that runs beside the test until it ends or is stopped.
final class Running: Sendable {
  private struct State: ~Copyable {
    var standardOutput = ""
    var standardError = ""
  }

  let process = Process()
  private let state = Mutex(State())
  private let arguments: [String]
  private let input = Pipe()
  private let output = Pipe()
  private let error = Pipe()

  init(_ arguments: [String], environment: [String: String] = [:]) throws {
    self.arguments = arguments
    process.executableURL = URL(filePath: "/usr/bin/env")
    process.arguments = arguments
    process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
    process.standardInput = input
    process.standardOutput = output
    process.standardError = error
    output.fileHandleForReading.readabilityHandler = { [weak self] handle in
      let text = String(decoding: handle.availableData, as: UTF8.self)
      if text.isEmpty { handle.readabilityHandler = nil }
      self?.state.withLock { $0.standardOutput += text }
    }
    error.fileHandleForReading.readabilityHandler = { [weak self] handle in
      let text = String(decoding: handle.availableData, as: UTF8.self)
      if text.isEmpty { handle.readabilityHandler = nil }
      self?.state.withLock { $0.standardError += text }
    }
    try process.run()
  }

  var processID: Int32 { process.processIdentifier }
  var isRunning: Bool { process.isRunning }
  var standardOutput: String { state.withLock { $0.standardOutput } }
  var standardError: String { state.withLock { $0.standardError } }

  func closeInput() throws { try input.fileHandleForWriting.close() }

  /// Waits until standard output holds `text`.
  func waitFor(_ text: String, within limit: Duration = .seconds(10)) async throws {
    try await eventually("“\(text)” from \(arguments.joined(separator: " "))", within: limit) {
      self.standardOutput.contains(text)
    }
  }

  func signal(_ number: Int32) {
    if process.isRunning { kill(process.processIdentifier, number) }
  }

  func finish(within limit: Duration = .seconds(60)) async throws -> Output {
    let deadline = ContinuousClock.now + limit
    while process.isRunning {
      if ContinuousClock.now > deadline {
        signal(SIGKILL)
        throw TimedOut(what: "the end of \(arguments.joined(separator: " "))", limit: limit)
      }
      try await Task.sleep(for: .milliseconds(5))
    }
    // The readers see the end of the pipes shortly after the process is gone.
    for _ in 0..<40 where output.fileHandleForReading.readabilityHandler != nil {
      try await Task.sleep(for: .milliseconds(5))
    }
    return Output(
      status: process.terminationStatus, standardOutput: standardOutput,
      standardError: standardError)
  }
}

struct TimedOut: Error, CustomStringConvertible {
  var what: String
  var limit: Duration
  var description: String { "waited \(limit) for \(what)" }
}

/// Asks again every 20 ms until `condition` holds.
func eventually(
  _ what: String, within limit: Duration = .seconds(10),
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
func run(
  _ arguments: String..., within limit: Duration = .seconds(60), expecting status: Int32? = 0
) async throws -> Output {
  try await run(arguments, within: limit, expecting: status)
}

@discardableResult
func run(
  _ arguments: [String], within limit: Duration = .seconds(60), expecting status: Int32? = 0
) async throws -> Output {
  let output = try await Running(arguments).finish(within: limit)
  if let status, output.status != status {
    throw UnexpectedExit(command: arguments.joined(separator: " "), output: output)
  }
  return output
}

struct UnexpectedExit: Error, CustomStringConvertible {
  var command: String
  var output: Output
  var description: String {
    "\(command) ended with \(output.status)\n\(output.standardOutput)\(output.standardError)"
  }
}
