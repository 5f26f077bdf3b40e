import Linux
import NodeHarness
import Testing

/// What the suites ask of a node that finds its pods on a cluster: node `a`, and a server on `b`.
protocol ClusterQuestions {}

extension ClusterQuestions {
  func pod(_ name: String) async throws -> PodFixture {
    try #require(await Mesh.shared.pods[name])
  }

  func status(of name: String) async throws -> JSON {
    try await Mesh.shared.status("a", "pods").array.first { $0["name"].string == name } ?? .null
  }

  func wait(for name: String, _ state: String?, _ reason: String = "") async throws {
    var last = JSON.null
    do {
      try await eventually("\(name) is \(state ?? "forgotten")") {
        last = try await status(of: name)
        return last["state"].string == state
          && (reason.isEmpty || last["reason"].string?.contains(reason) == true)
      }
    } catch {
      Issue.record("\(last)")
      throw error
    }
  }

  /// Whether one exchange from client to server was readable between the nodes.
  func isReadableOnTheWire() async throws -> Bool {
    let mesh = try Mesh.shared
    let secret = "secret-\(UInt32.random(in: 0...UInt32.max))"
    let sniffer = try await mesh.spawn(in: "a", "sniff.py", "under0", "60", secret)
    try await sniffer.waitFor("ready")
    let server = try await pod("server").ip4
    let answer = try await mesh.client(in: "client", "get", server, "8080", "echo \(secret)")
    #expect(answer["error"].string == nil, "\(answer)")
    sniffer.signal(.terminate)
    return try await sniffer.finish().json()["found"][secret].int != 0
  }
}
