import Foundation
import NodeHarness
import Testing

/// A client in a pod that asks again and again, and never a second time for what went wrong.
///
/// It runs by itself there, so that no kubelet and no test has to live for it.
struct Load: Sendable {
  /// How often each answer came, and how long the slowest took, in seconds.
  struct Tally: CustomStringConvertible {
    var counts: [String: Int] = [:]
    var slowest = 0.0

    var good: Int { counts["200"] ?? 0 }
    var bad: Int { counts.values.reduce(0, +) - good }
    var description: String { "\(counts), slowest \(slowest) s" }
  }

  let installation: Installation
  let pod: String
  let name = "load-\(UInt32.random(in: 0...UInt32.max))"

  /// A request takes no longer than `limit` seconds.
  func start(url: String, limit: Int) async throws {
    try await run(
      """
      touch /tmp/\(name); while [ -e /tmp/\(name) ]; do
        curl -s -o /dev/null -m \(limit) -w '%{http_code} %{time_total} %{errormsg}\\n' \(url)
        sleep 0.02
      done >/tmp/\(name).out 2>&1 </dev/null &
      """)
  }

  @discardableResult
  private func run(_ script: String) async throws -> String {
    try await installation.kubectl(
      "-n", "shop", "exec", pod, "-c", "client", "--", "/bin/sh", "-c", script
    ).standardOutput
  }

  /// Waits until so many more have been answered, one way or another.
  func waitForAnswers(_ number: Int) async throws {
    let count = "wc -l </tmp/\(name).out"
    let words = try await run(count).split { !$0.isNumber }
    let before = try #require(words.first.flatMap { Int($0) })
    try await eventually("\(number) more answers in \(pod)", within: .seconds(90)) {
      let now = try await run(count).split { !$0.isNumber }.first.flatMap { Int($0) }
      return (now ?? 0) >= before + number
    }
  }

  /// Ends it, and says what came.
  func finish() async throws -> Tally {
    let text = try await run("rm /tmp/\(name); sleep 1; cat /tmp/\(name).out")
    var tally = Tally()
    for line in text.split(separator: "\n") {
      let words = line.split(separator: " ", maxSplits: 2).map(String.init)
      guard words.count >= 2 else { continue }
      tally.counts[words.count == 3 ? "\(words[0]) \(words[2])" : words[0], default: 0] += 1
      tally.slowest = max(tally.slowest, Double(words[1]) ?? 0)
    }
    return tally
  }

  /// Ends it, and expects that all was answered, and often.
  @discardableResult
  func expectAllGood(_ location: SourceLocation = #_sourceLocation) async throws -> Tally {
    let tally = try await finish()
    #expect(tally.bad == 0 && tally.good > 50, "\(tally)", sourceLocation: location)
    if tally.bad > 0 { await installation.describe() }
    return tally
  }
}

/// Connections of a pod that live on, each with something to say every half second.
struct HeldConnections: Sendable {
  let installation: Installation
  let pod: String
  let number: Int
  let name = "held-\(UInt32.random(in: 0...UInt32.max))"

  func open(to address: String, port: Int) async throws {
    try await run(
      """
      for i in $(seq \(number)); do
        { while sleep 0.5; do echo alive || break; done |
          nc \(address) \(port) >/tmp/\(name).out.$i 2>/dev/null; touch /tmp/\(name).end.$i; } \\
          >/dev/null 2>&1 </dev/null &
      done
      """)
    try await eventually("\(number) connections of \(pod) are alive") {
      try await run("find /tmp -name '\(name).out.*' -size +0 | wc -l").hasPrefix("\(number)\n")
    }
  }

  @discardableResult
  private func run(_ script: String) async throws -> String {
    try await installation.kubectl(
      "-n", "shop", "exec", pod, "-c", "client", "--", "/bin/sh", "-c", script
    ).standardOutput
  }

  /// How many have ended.
  func ended() async throws -> Int {
    let text = try await run("ls /tmp | grep -c '^\(name).end' || true")
    return try #require(text.split(separator: "\n").first.flatMap { Int($0) })
  }

  /// Waits until every one has heard something new.
  func expectAlive() async throws {
    let sizes = "cat /tmp/\(name).out.* | wc -l"
    let number = { (text: String) in text.split(separator: "\n").first.flatMap { Int($0) } ?? 0 }
    let before = number(try await run(sizes))
    try await eventually("the connections of \(pod) go on") {
      number(try await run(sizes)) >= before + self.number
    }
    #expect(try await ended() == 0)
  }

  func close() async throws {
    try await run("for p in $(pidof nc); do kill $p; done")
  }
}

extension String {
  /// Curl's words for a connection that was made and cut; the cut may come before curl has seen that
  /// it was made.
  var isRefusal: Bool { contains("reset by peer") || contains("Couldn't connect") }
}

extension Installation {
  /// Starts asking in a client's pod.
  func load(in pod: String, url: String = "http://web/", limit: Int = 30) async throws -> Load {
    let load = Load(installation: self, pod: pod)
    try await load.start(url: url, limit: limit)
    return load
  }

  /// What a command says on a node.
  @discardableResult
  func onNode(_ node: String, _ script: String, expecting status: Int32? = 0) async throws
    -> String
  {
    try await NodeHarness.run(
      "\(ClusterFixture.scripts)/node-exec.sh", node, "bash", "-c", script, expecting: status
    ).standardOutput
  }

  /// Signals the one process of this name in a node's own process namespace.
  func kill(_ program: String, on node: String, with signal: String = "KILL") async throws {
    try await onNode(
      node, "until p=$(pgrep -x \(program)); do sleep 0.1; done; kill -\(signal) $p")
  }

  func waitUntilHealthy() async throws {
    for node in Self.nodes {
      try await eventually("\(node) is healthy", within: .seconds(120)) {
        try await status(on: node, "node")["isHealthy"].bool == true
      }
    }
  }
}
