import AgentProtocol
import Linux
import MeshModel
import Testing

@Suite(.enabled(if: CurrentProcess.isRoot, "needs root"), .serialized)
struct `A ztunnel at its descriptor limit` {
  /// Changes the soft limit of a running process.
  private func limit(_ process: Int32, to count: Int) throws {
    try runCommand("/usr/bin/prlimit", ["--pid", "\(process)", "--nofile=\(count):"])
  }

  /// User and system time of a process, in clock ticks of 10 ms.
  private func ticks(of process: Int32) throws -> Int {
    let text = try File.readText("/proc/\(process)/stat")
    // The name in parentheses may hold spaces; utime and stime are the 12th and 13th after it.
    let fields = text.split(separator: ")").last?.split(separator: " ") ?? []
    return (Int(fields[11]) ?? 0) + (Int(fields[12]) ?? 0)
  }

  struct Limit: CustomTestStringConvertible, Sendable {
    let testDescription: String
    /// The limit when so many descriptors are open.
    let count: @Sendable (Int) -> Int
    /// Whether it has one to refuse with.
    let isRefusing: Bool
  }

  static let limits = [
    Limit(
      testDescription: "a few descriptors are left", count: { open in open + 4 },
      isRefusing: true),
    // As when other threads took every number that a worker gave back.
    Limit(
      testDescription: "not even the reserve helps", count: { _ in 3 }, isRefusing: false),
  ]

  @Test(arguments: limits)
  func `refuses or rests, does not spin, lets the live ones be, and recovers`(
    limit row: Limit
  ) throws {
    // Of two workers, one may take the number that the other gave back to refuse with.
    let nodes = try TwoNodes(threads: row.isRefusing ? 1 : 2)
    let server = try nodes.serve(TestServer.echo)
    _ = server
    let live = try nodes.dial()
    try live.send("one")
    #expect(try live.receiveText(3) == "one")
    let process = nodes.source.processID
    try limit(process, to: row.count(try nodes.source.openDescriptors.count))

    var crowd: [Stream] = []
    var refused = 0
    for _ in 0..<24 {
      do {
        crowd.append(try nodes.dial())
      } catch {
        refused += 1
      }
    }
    let before = try ticks(of: process)
    let poller = try Poller()
    var events: [PollEvent] = []
    try poller.wait(timeout: .seconds(1), into: &events)
    let spent = try ticks(of: process) - before
    #expect(spent < 30, "\(spent) ticks of 10 ms in one second with \(refused) refused")
    try live.send("two")
    #expect(try live.receiveText(3) == "two", "who is there is served on")
    #expect(try nodes.source.outcome == nil)

    crowd.removeAll()
    try limit(process, to: 4_096)
    var answers: [String] = []
    for _ in 0..<50 where answers.isEmpty {
      try poller.wait(timeout: .milliseconds(100), into: &events)
      do {
        let stream = try nodes.dial()
        try stream.send("three")
        answers.append(try stream.receiveText(5))
      } catch {
        // One of the crowd may still be before it.
      }
    }
    #expect(answers == ["three"])
    guard case .summary(let summary) = try nodes.source.inspect(.summary) else { return }
    if row.isRefusing { #expect(summary.failedAccepts > 0) }
  }
}
