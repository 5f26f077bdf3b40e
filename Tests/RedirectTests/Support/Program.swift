import FoundationEssentials
import Glibc
import Linux
import Synchronization
import TestSupport

/// One line of JSON that a program of `Programs/` printed; each program fills what it knows.
struct Report: Decodable, Sendable {
  struct Endpoint: Decodable, Hashable, Sendable, CustomStringConvertible {
    var address: String
    var port: UInt16

    init(from decoder: any Decoder) throws {
      var pair = try decoder.unkeyedContainer()
      address = try pair.decode(String.self)
      port = try pair.decode(UInt16.self)
    }

    var description: String { "\(address) \(port)" }
  }

  struct Banner: Decodable, Sendable {
    var peer: Endpoint?
    var local: Endpoint?
    var hbone: Bool?
  }

  var ready: Bool?
  // dial.py
  var ok: Bool?
  var error: String?
  var seconds: Double?
  var banner: Banner?
  var local: Endpoint?
  var peer: Endpoint?
  var count: Int?
  var failures: Int?
  var errors: [String]?
  var slowest: Double?
  // standin.py
  var kind: String?
  var to: Endpoint?
  var dial: String?
  var accept: Int32?
  // ask.py
  var answers: [String]?
  var peers: [Endpoint]?
  // attack.py and sniff.py
  var sent: Bool?
  var matches: [String]?

  /// How a dial ended, in one word: `ok` or the error's name.
  var outcome: String { ok == true ? "ok" : error ?? "nothing" }
}

enum ProgramError: Error {
  case silent(program: String, after: Duration)
  case noJSON(program: String, line: String)
  case failed(program: String, ProcessOutcome)
}

/// A program that runs beside the test, in a namespace and a cgroup; killed with its last owner.
final class Program: Sendable {
  let name: String
  private let process: ProcessHandle
  private let output: OwnedDescriptor
  /// Whether its end was taken note of, which can be done once.
  private let isBuried = Atomic<Bool>(false)
  private let buffered = Mutex<[UInt8]>([])

  /// Runs a file of `Programs/` with Debian's own Python.
  convenience init(
    _ file: String, _ arguments: [String], in namespace: borrowing NetworkNamespace,
    group: ControlGroup, control: CInt? = nil
  ) throws {
    let folder = #filePath.split(separator: "/").dropLast(2).reduce("") { "\($0)/\($1)" }
    try self.init(
      path: "/usr/bin/python3", ["-u", "-I", "-S", "\(folder)/Programs/\(file)"] + arguments,
      in: namespace,
      group: group, control: control)
  }

  init(
    path: String, _ arguments: [String], in namespace: borrowing NetworkNamespace,
    group: ControlGroup, control: CInt? = nil
  ) throws {
    name = arguments.joined(separator: " ")
    let pipe = try Pipe()
    var child = ChildProcess(path: path, arguments: arguments, controlGroup: group)
    child.environment = ["PATH=/usr/sbin:/usr/bin:/sbin:/bin"]
    child.standardOutput = pipe.writeEnd.number
    if let control { child.descriptors = [3: control] }
    // Bound to the thread's namespace when it is born.
    let request = child
    process = try namespace.run { () throws(LinuxError) in try request.spawn() }
    output = pipe.takeReadEnd()
  }

  deinit {
    if isBuried.load(ordering: .relaxed) { return }
    do {
      try process.send(.kill)
      _ = try process.wait()
    } catch {
      preconditionFailure("\(name) cannot be ended: \(error)")
    }
  }

  var processID: Int32 { process.processID }

  func send(_ signal: Signal) throws { _ = try process.send(signal) }

  /// Ends it as a crash would; what it has not printed yet is lost.
  func crash() throws {
    try process.send(.kill)
    while poll(number: process.number, timeout: .seconds(2)) == false {}
  }

  /// The next line; throws when there is none in time.
  func line(within limit: Duration = patience) throws -> Report {
    let deadline = ContinuousClock.now + limit
    while true {
      if let line = buffered.withLock({ takeLine(&$0) }) {
        do {
          return try JSONDecoder().decode(Report.self, from: Data(line))
        } catch {
          throw ProgramError.noJSON(program: name, line: String(decoding: line, as: UTF8.self))
        }
      }
      let left = deadline - ContinuousClock.now
      guard left > .zero, poll(number: output.number, timeout: left), try fill() else {
        throw ProgramError.silent(program: name, after: limit)
      }
    }
  }

  /// The next line for which `matches` holds; others are dropped.
  func line(
    within limit: Duration = patience, where matches: (Report) -> Bool
  ) throws -> Report {
    let deadline = ContinuousClock.now + limit
    while true {
      let report = try line(within: max(deadline - ContinuousClock.now, .zero))
      if matches(report) { return report }
    }
  }

  /// Waits for its end and throws unless it was a success.
  func finish() throws {
    let outcome = try process.wait()
    isBuried.store(true, ordering: .relaxed)
    guard outcome == .exited(code: 0) else {
      throw ProgramError.failed(program: name, outcome)
    }
  }

  private func fill() throws -> Bool {
    var chunk = [UInt8](repeating: 0, count: 65_536)
    let count = unsafe read(output.number, &chunk, chunk.count)
    if count < 0 { return errno == EAGAIN || errno == EINTR }
    buffered.withLock { $0 += chunk.prefix(count) }
    return count > 0
  }

  private func takeLine(_ bytes: inout [UInt8]) -> [UInt8]? {
    guard let end = bytes.firstIndex(of: UInt8(ascii: "\n")) else { return nil }
    defer { bytes.removeFirst(end + 1) }
    return Array(bytes[..<end])
  }
}

/// Whether the descriptor became readable in time.
func poll(number: CInt, timeout: Duration) -> Bool {
  var watched = pollfd(fd: number, events: Int16(POLLIN), revents: 0)
  let milliseconds =
    timeout.components.seconds * 1_000
    + timeout.components.attoseconds / 1_000_000_000_000_000
  return unsafe Glibc.poll(&watched, 1, CInt(max(milliseconds, 1))) > 0
}

/// Lets other processes run for a while.
func pause(_ duration: Duration) {
  let nothing = poll(number: -1, timeout: duration)
  precondition(!nothing, "no descriptor became readable")
}
