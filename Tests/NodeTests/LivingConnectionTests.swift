import Linux
import NodeHarness
import Testing
import TestSupport

extension Mesh {
  /// A connection that is used ten times a second, once it is open.
  fileprivate func hold(
    _ from: String, _ to: String, port: String, for seconds: Int
  ) async throws -> Running {
    let connection = try spawn(in: from, "peer.py", "hold", to, port, "\(seconds)", "0.1")
    try await connection.waitFor("open")
    return connection
  }

  /// Connections into the pods and out of them, over both families.
  fileprivate func holdBothWays(for seconds: Int) async throws -> [Running] {
    let (client, server) = try (#require(pods["client"]), #require(pods["server"]))
    return [
      try await hold("client", server.ip4, port: "8080", for: seconds),
      try await hold("client", server.ip6, port: "8080", for: seconds),
      try await hold("server", client.ip4, port: "8081", for: seconds),
      try await hold("server", client.ip6, port: "8081", for: seconds),
    ]
  }

  fileprivate func pod(_ name: String, on node: String) async throws -> JSON {
    try await status(node, "pods").array.first { $0["name"].string == name } ?? .null
  }

  /// For example `draining 4`.
  fileprivate func living(_ name: String, on node: String) async throws -> String {
    let living = try await pod(name, on: node)["livingConnections"]
    return "\(living["kind"].string ?? "none") \(living["count"].int ?? 0)"
  }

  /// In seconds of its day; a day later there are none.
  fileprivate func deadline(of name: String, on node: String) async throws -> Int {
    let text = try await #require(pod(name, on: node)["livingConnections"]["until"].string)
    let clock = text.drop { $0 != "T" }.dropFirst().prefix(8).split(separator: ":")
    return clock.reduce(0) { $0 * 60 + (Int($1) ?? 0) }
  }

  /// Takes the label away and waits until nothing of the pods is left.
  fileprivate func releaseAll(_ annotations: String = "") async throws {
    try applyNamespace("shop", isEnrolled: false, annotations: annotations)
    try await eventually("no pod is captured") {
      for node in ["a", "b"] {
        let states = try await self.status(node, "pods").array.map { $0["state"].string }
        guard !states.isEmpty, states.allSatisfy({ $0 == "notEnrolled" }) else { return false }
      }
      return true
    }
  }

  /// How each ended, as the client saw it; empty for one that nothing ended.
  fileprivate func endings(of connections: [Running]) async throws -> [String] {
    var endings: [String] = []
    for connection in connections {
      let said = try await connection.finish(within: .seconds(120)).standardOutput
      let last = try #require(said.split(separator: "\n").last)
      endings.append(try JSON(parsing: String(last), context: said)["ended"].string ?? "error")
    }
    return endings
  }
}

extension `A node` {
  @Suite(
    .serialized,
    .mesh { mesh in
      try await mesh.applyNamespace("shop", isEnrolled: false)
      try await mesh.addPod("client", on: "a")
      try await mesh.addPod("server", on: "b")
      try await mesh.startAgent("a")
      try await mesh.startAgent("b")
      try await mesh.serve(in: "server")
      try await mesh.serve(in: "client", port: 8081)
    })
  struct `takes care of connections that live` {
    @Test func `when their pods are enrolled and released under load: none fails`() async throws {
      let mesh = try Mesh.shared
      try await mesh.releaseAll()
      let server = try await #require(mesh.pods["server"])
      let loads = try await [server.ip4, server.ip6].asyncMap {
        try await mesh.spawn(in: "client", "peer.py", "rate", $0, "8080", "40", "40")
      }
      let before = try await mesh.holdBothWays(for: 38)
      try await mesh.applyNamespace("shop", isEnrolled: true)
      try await mesh.waitUntilEnrolled("client", "server")
      // Those of the load that were open then have ended soon.
      try await eventually("the four of before are counted") {
        let counts = try await [
          mesh.living("client", on: "a"), mesh.living("server", on: "b"),
        ]
        return counts == ["grandfathered 4", "grandfathered 4"]
      }

      let captured = try await mesh.holdBothWays(for: 25)
      #expect(try await mesh.status("a", "connections").array.count >= 4)
      try await mesh.applyNamespace("shop", isEnrolled: false)
      try await eventually("the client drains") {
        try await mesh.pod("client", on: "a")["state"].string == "draining"
      }
      let plain = try await mesh.holdBothWays(for: 15)
      try await eventually("the four of the mesh are counted") {
        try await mesh.living("client", on: "a") == "draining 4"
      }
      try await mesh.applyNamespace("shop", isEnrolled: true)
      try await mesh.waitUntilEnrolled("client", "server")

      #expect(try await mesh.endings(of: before + captured + plain).allSatisfy { $0 == "" })
      for load in loads {
        let result = try await load.finish(within: .seconds(120)).json()
        #expect(result["outcome"]["ok"].int == result["tried"].int, "\(result)")
      }
    }

    @Test func `and cuts them at their deadline`() async throws {
      let mesh = try Mesh.shared
      try await mesh.releaseAll()
      let connections = try await mesh.holdBothWays(for: 90)
      try await mesh.applyNamespace(
        "shop", isEnrolled: true, annotations: "skein.dev/existing-connections-deadline: 4s")
      try await mesh.waitUntilEnrolled("client", "server")
      #expect(try await mesh.endings(of: connections).allSatisfy { $0 != "" })
      // The first of the two nodes to cut them leaves the other none.
      try await eventually("it is told") {
        let logs = try await mesh.agent("a").standardOutput + mesh.agent("b").standardOutput
        return logs.contains("connections are cut")
      }
      try await eventually("none is left") {
        try await mesh.living("client", on: "a") == "none 0"
      }
    }

    @Test func `or cuts them at once where that is asked for`() async throws {
      let mesh = try Mesh.shared
      let reset = "skein.dev/existing-connections: reset"
      try await mesh.releaseAll(reset)
      let before = try await mesh.holdBothWays(for: 90)
      try await mesh.applyNamespace("shop", isEnrolled: true, annotations: reset)
      try await mesh.waitUntilEnrolled("client", "server")
      #expect(try await mesh.endings(of: before).allSatisfy { $0 != "" })
      let captured = try await mesh.holdBothWays(for: 90)
      try await mesh.releaseAll(reset)
      #expect(try await mesh.endings(of: captured).allSatisfy { $0 != "" })
    }

    @Test func `and enrols a pod once it has none where that is asked for`() async throws {
      let mesh = try Mesh.shared
      let wait = "skein.dev/existing-connections: wait"
      try await mesh.releaseAll(wait)
      let connections = try await mesh.holdBothWays(for: 20)
      try await mesh.applyNamespace("shop", isEnrolled: true, annotations: wait)
      try await eventually("the client waits") {
        let pod = try await mesh.pod("client", on: "a")
        return pod["state"].string == "waiting"
          && pod["reason"].string?.hasPrefix("waiting: 4 connections") == true
      }
      #expect(try await mesh.endings(of: connections) == ["", "", "", ""])
      try await mesh.waitUntilEnrolled("client", "server")
    }

    @Test func `and has a pod that waits take tunnels`() async throws {
      let mesh = try Mesh.shared
      try await mesh.releaseAll()
      var server = try await #require(mesh.pods["server"])
      let manifest = server.manifest
      server.moreAnnotations = ["skein.dev/existing-connections: wait"]
      try await mesh.apply("pod-server", server.manifest)
      let connections = try await mesh.holdBothWays(for: 25)
      try await mesh.applyNamespace("shop", isEnrolled: true)
      try await mesh.waitUntilEnrolled("client")
      let tunnelled = try await mesh.client(in: "client", "get", server.ip4, "8080", "whoami")
      #expect(tunnelled["error"].string == nil, "\(tunnelled)")
      #expect(try await !mesh.status("b", "tunnels").array.isEmpty)
      #expect(try await mesh.pod("server", on: "b")["state"].string == "waiting")
      #expect(try await mesh.endings(of: connections) == ["", "", "", ""])
      try await mesh.waitUntilEnrolled("server")
      try await mesh.apply("pod-server", manifest)
    }

    @Test func `and waits for them no longer than their deadline`() async throws {
      let mesh = try Mesh.shared
      try await mesh.releaseAll()
      let connections = try await mesh.holdBothWays(for: 90)
      try await mesh.applyNamespace(
        "shop", isEnrolled: true,
        annotations: "skein.dev/existing-connections: wait, "
          + "skein.dev/existing-connections-deadline: 4s")
      try await mesh.waitUntilEnrolled("client", "server")
      #expect(try await mesh.endings(of: connections).allSatisfy { $0 != "" })
    }

    @Test func `through the death of the node agent, with their deadline`() async throws {
      let mesh = try Mesh.shared
      try await mesh.releaseAll()
      let connections = try await mesh.holdBothWays(for: 30)
      try await mesh.applyNamespace("shop", isEnrolled: true)
      try await mesh.waitUntilEnrolled("client", "server")
      let deadline = try await mesh.deadline(of: "client", on: "a")
      try await mesh.agent("a").signal(.kill)
      _ = try await mesh.agent("a").finish()
      // A deadline that began anew would be later by this at least.
      try await Task.sleep(for: .seconds(4))
      try await mesh.startAgent("a")
      try await mesh.waitUntilEnrolled("client")
      try await eventually("they are counted") {
        try await mesh.living("client", on: "a") == "grandfathered 4"
      }
      #expect(try await abs(mesh.deadline(of: "client", on: "a") - deadline) <= 2)
      #expect(try await mesh.endings(of: connections) == ["", "", "", ""])
    }

    @Test func `and through its death while they end, with their deadline`() async throws {
      let mesh = try Mesh.shared
      try await mesh.releaseAll()
      try await mesh.applyNamespace("shop", isEnrolled: true)
      try await mesh.waitUntilEnrolled("client", "server")
      let connections = try await mesh.holdBothWays(for: 30)
      try await mesh.applyNamespace("shop", isEnrolled: false)
      try await eventually("they are counted") {
        try await mesh.living("client", on: "a") == "draining 4"
      }
      let deadline = try await mesh.deadline(of: "client", on: "a")
      try await mesh.agent("a").signal(.kill)
      _ = try await mesh.agent("a").finish()
      let plain = try await mesh.holdBothWays(for: 20)
      try await Task.sleep(for: .seconds(4))
      try await mesh.startAgent("a")
      try await eventually("they are counted again") {
        try await mesh.living("client", on: "a") == "draining 4"
      }
      #expect(try await abs(mesh.deadline(of: "client", on: "a") - deadline) <= 2)
      #expect(try await mesh.endings(of: connections + plain).allSatisfy { $0 == "" })
      try await mesh.releaseAll()
    }
  }
}

extension Array {
  fileprivate func asyncMap<Result>(
    _ transform: (Element) async throws -> Result
  ) async rethrows -> [Result] {
    var results: [Result] = []
    for element in self { results.append(try await transform(element)) }
    return results
  }
}
