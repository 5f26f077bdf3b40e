import Glibc
import Linux
import NodeHarness
import Testing
import TestSupport

/// A mesh of names: client and two members of a headless service, a resolver outside the mesh, and one
/// that is an enrolled pod itself.
@Sendable private func townOfNames(_ mesh: Mesh) async throws {
  try await mesh.applyNamespace("shop", isEnrolled: true)
  try await mesh.applyNamespace("infra", isEnrolled: false)
  try await mesh.addPod("client", on: "a")
  try await mesh.addPod("db-0", on: "b", labels: ["role": "db"])
  try await mesh.addPod("db-1", on: "a", labels: ["role": "db"])
  try await mesh.addPod("resolver", on: "b", namespace: "infra")
  try await mesh.addPod("inside", on: "a")
  try await mesh.apply(
    "services",
    """
    \(Manifest.service("web", selector: "{role: db}", virtualIP: "10.96.0.20"))
    ---
    \(Manifest.service("db", selector: "{role: db}", virtualIP: "None"))
    ---
    apiVersion: networking.istio.io/v1
    kind: ServiceEntry
    metadata: {name: api, namespace: shop}
    spec:
      hosts: [api.example.com]
      addresses: [240.0.0.7]
      ports: [{number: 443, name: tls, protocol: TLS}]
      resolution: STATIC
      location: MESH_EXTERNAL
      endpoints: [{address: 203.0.113.77}]
    """)
  try await mesh.startAgent("a")
  try await mesh.startAgent("b")
  let resolver = try await #require(mesh.pods["resolver"])
  try await mesh.spawn(in: "resolver", "names.py", "serve", "outside").waitFor("ready")
  try await mesh.spawn(in: "inside", "names.py", "serve", "inside", "forward=\(resolver.ip4)")
    .waitFor("ready")
  try await mesh.waitUntilEnrolled("client", "db-0", "db-1", "inside")
}

extension Mesh {
  /// What a client in a pod is answered.
  fileprivate func ask(
    _ host: String, _ type: String = "A", of resolver: String = "resolver",
    in pod: String = "client",
    v6: Bool = false, _ options: String...
  ) async throws -> JSON {
    let fixture = try #require(pods[resolver])
    return try await spawn(
      in: pod, "names.py",
      ["ask", v6 ? fixture.ip6 : fixture.ip4, host, type] + options
    ).finish().json()
  }
}

extension JSON {
  fileprivate var texts: [String] { array.compactMap(\.string) }
}

extension `A node` {
  @Suite(.serialized, .mesh(townOfNames))
  struct `answers DNS` {
    struct Row: CustomTestStringConvertible, Sendable {
      var host: String
      var type = "A"
      var expected: [String]

      var testDescription: String { "\(type) \(host)" }
    }

    static let local = [
      Row(host: "web.shop.svc.cluster.local", expected: ["10.96.0.20"]),
      Row(host: "web", expected: ["10.96.0.20"]),
      Row(host: "web.shop", type: "AAAA", expected: []),
      Row(host: "db.shop.svc.cluster.local", expected: ["db-0", "db-1"]),
      Row(host: "db.shop.svc", type: "AAAA", expected: ["db-0", "db-1"]),
      Row(host: "db-1.db.shop.svc.cluster.local", expected: ["db-1"]),
      Row(host: "api.example.com", expected: ["240.0.0.7"]),
      Row(
        host: "api.example.com.shop.svc.cluster.local", expected: ["240.0.0.7", "api.example.com"]),
      Row(host: "web", type: "SRV", expected: ["80 web.shop.svc.cluster.local"]),
    ]

    @Test(arguments: local, [false, true])
    func `for names of the mesh, over UDP and TCP, IPv4 and IPv6`(row: Row, v6: Bool) async throws {
      let mesh = try Mesh.shared
      let pods = await mesh.pods
      let expected = row.expected.map { text in
        pods[text].map { row.type == "AAAA" ? $0.ip6 : $0.ip4 } ?? text
      }
      let server = try #require(pods["resolver"])
      for option in ["edns=1232", "tcp", "connected"] {
        let answer = try await mesh.ask(row.host, row.type, v6: v6, option)
        #expect(answer["answers"].texts.sorted() == expected.sorted(), "\(answer)")
        #expect(answer["authoritative"].bool == true)
        #expect(answer["isAsked"].bool == true)
        #expect(answer["source"].string == "\(v6 ? server.ip6 : server.ip4) 53")
      }
    }

    @Test(arguments: [false, true])
    func `by asking on for every other name`(v6: Bool) async throws {
      let mesh = try Mesh.shared
      let here = try await mesh.ask("www.example.org", v6: v6)
      #expect(here["answers"].texts == ["203.0.113.1"], "\(here)")
      #expect(here["authoritative"].bool == false)
      #expect(here["isAsked"].bool == true)
      let who = try await mesh.ask("who.example.org", "TXT", v6: v6, "edns=4096", "case")
      #expect(who["answers"].texts == ["outside"], "\(who)")
      let nothing = try await mesh.ask("nothing.shop.svc.cluster.local", v6: v6)
      #expect(nothing["rcode"].int == 3, "\(nothing)")
    }

    @Test func `cut short over UDP, whole over TCP`() async throws {
      let mesh = try Mesh.shared
      let cut = try await mesh.ask("big.example.org")
      #expect(cut["truncated"].bool == true, "\(cut)")
      let whole = try await mesh.ask("big.example.org", "A", "tcp")
      #expect(whole["answers"].array.count == 200)
    }

    @Test func `as applications ask, through the library and its search list`() async throws {
      let mesh = try Mesh.shared
      let pods = await mesh.pods
      let resolver = try #require(pods["resolver"])
      let found = try await mesh.spawn(
        in: "client", "names.py", "resolve", resolver.ip4,
        "shop.svc.cluster.local svc.cluster.local cluster.local", "web", "web.shop", "db-0.db",
        "api.example.com", "www.example.org", "nothing.invalid"
      ).finish().json()
      let member = try #require(pods["db-0"])
      #expect(found["web"].texts == ["10.96.0.20"], "\(found)")
      #expect(found["web.shop"].texts == ["10.96.0.20"], "\(found)")
      #expect(Set(found["db-0.db"].texts) == [member.ip4, member.ip6], "\(found)")
      #expect(found["api.example.com"].texts == ["240.0.0.7"], "\(found)")
      #expect(Set(found["www.example.org"].texts) == ["203.0.113.1", "2001:db8::1"], "\(found)")
      #expect(found["nothing.invalid"].texts == ["Name or service not known"], "\(found)")
    }

    @Test func `without a loop when the resolver is an enrolled pod, or the pod itself`()
      async throws
    {
      let mesh = try Mesh.shared
      for pod in ["client", "inside"] {
        let answer = try await mesh.ask("who.example.org", "TXT", of: "inside", in: pod)
        #expect(answer["answers"].texts == ["outside"], "\(answer)")
      }
      let answer = try await mesh.ask("web", of: "inside", in: "client")
      #expect(answer["answers"].texts == ["10.96.0.20"], "\(answer)")
      // What the server itself asks for is answered by the mesh, too.
      let own = try await mesh.ask("api.example.com", of: "inside", in: "inside")
      #expect(own["answers"].texts == ["240.0.0.7"], "\(own)")
    }

    @Test func `with nothing for bytes that are no query, and lives on`() async throws {
      let mesh = try Mesh.shared
      for bytes in [
        "00", "000000000000", "1234010000010000000000003f", "ffffffffffffffffffffffffffff",
      ] {
        let answer = try await mesh.ask("x", "A", "raw=\(bytes)", "timeout=0.3")
        #expect(answer["error"].string != nil, "\(answer)")
      }
      #expect(try await mesh.ask("web")["answers"].texts == ["10.96.0.20"])
    }

    @Test func `not for a pod that says so, until it says otherwise`() async throws {
      let mesh = try Mesh.shared
      let manifest = try await #require(mesh.pods["client"]).manifest
      try await mesh.apply(
        "pod-client",
        manifest.replacing(
          "annotations: {", with: "annotations: {ambient.istio.io/dns-capture: \"false\", "))
      try await eventually("the resolver answers", within: .seconds(30)) {
        try await mesh.ask("web.shop.svc.cluster.local")["rcode"].int == 3
      }
      try await mesh.apply("pod-client", manifest)
      try await mesh.waitUntilEnrolled("client")
      try await eventually("the mesh answers", within: .seconds(30)) {
        try await mesh.ask("web.shop.svc.cluster.local")["authoritative"].bool == true
      }
    }

    @Test func `without keeping a copy of the sockets in the node agent`() async throws {
      let mesh = try Mesh.shared
      let agent = try await #require(mesh.status("a")["node"]["processID"].int)
      let datagrams = try await run(
        "bash", "-c",
        "ls -l /proc/\(agent)/fd | grep -o 'socket:.[0-9]*' | grep -o '[0-9]*' | sort > /tmp/\(mesh.prefix).fd; "
          + "for pid in \(agent); do nsenter --net=/run/netns/\(mesh.prefix)-client "
          + "cat /proc/net/udp /proc/net/udp6; done | awk '{print $10}' | sort "
          + "| comm -12 - /tmp/\(mesh.prefix).fd; rm /tmp/\(mesh.prefix).fd", expecting: nil
      ).standardOutput
      #expect(datagrams.isEmpty, "\(datagrams)")
    }
  }

  @Suite(.serialized, .mesh(townOfNames))
  struct `never stands between a pod and its resolver` {
    @Test func `while ztunnel is killed and started again`() async throws {
      let mesh = try Mesh.shared
      let resolver = try await #require(mesh.pods["resolver"])
      let before = try await mesh.ztunnelProcessID("a")
      let load = try await mesh.spawn(
        in: "client", "names.py", "rate", resolver.ip4, "www.example.org", "100", "4")
      let local = try await mesh.spawn(
        in: "client", "names.py", "rate", resolver.ip4, "web.shop.svc.cluster.local", "100", "4")
      try await Task.sleep(for: .seconds(1))
      kill(before, SIGKILL)
      let outside = try await load.finish().json()["outcomes"]
      // A query that ztunnel held when it died is asked again by its client.
      #expect(outside["resolver 0"].int ?? 0 > 300, "\(outside)")
      #expect(outside["TimeoutError"].int ?? 0 <= 2, "\(outside)")
      // The resolver knows no name of the mesh: it said so while ztunnel was away.
      let inside = try await local.finish().json()["outcomes"]
      #expect(inside["mesh"].int ?? 0 > 200, "\(inside)")
      #expect(inside["TimeoutError"].int ?? 0 <= 2, "\(inside)")
      try await mesh.waitUntilEnrolled("client")
      #expect(try await mesh.ask("web")["answers"].texts == ["10.96.0.20"])
    }

    @Test func `while the node agent is killed and started again`() async throws {
      let mesh = try Mesh.shared
      let resolver = try await #require(mesh.pods["resolver"])
      let agent = try await #require(mesh.status("a")["node"]["processID"].int)
      let local = try await mesh.spawn(
        in: "client", "names.py", "rate", resolver.ip4, "web.shop.svc.cluster.local", "100", "4")
      try await Task.sleep(for: .seconds(1))
      kill(Int32(agent), SIGKILL)
      _ = try await mesh.agent("a").finish()
      try await Task.sleep(for: .seconds(1))
      try await mesh.startAgent("a")
      try await mesh.waitUntilEnrolled("client")
      let outcomes = try await local.finish().json()["outcomes"]
      #expect(outcomes["mesh"].int ?? 0 > 300 && outcomes.object.count == 1, "\(outcomes)")
    }

    @Test func `while both are dead`() async throws {
      let mesh = try Mesh.shared
      let agent = try await #require(mesh.status("a")["node"]["processID"].int)
      let tunnel = try await mesh.ztunnelProcessID("a")
      kill(Int32(agent), SIGKILL)
      _ = try await mesh.agent("a").finish()
      kill(tunnel, SIGKILL)
      for v6 in [false, true] {
        try await eventually("the resolver answers") {
          try await mesh.ask("www.example.org", "A", v6: v6, "timeout=0.5")["answers"].texts
            == ["203.0.113.1"]
        }
      }
      try await mesh.startAgent("a")
      try await mesh.waitUntilEnrolled("client")
      #expect(try await mesh.ask("web")["answers"].texts == ["10.96.0.20"])
    }

    @Test func `for long when ztunnel is stopped`() async throws {
      let mesh = try Mesh.shared
      let tunnel = try await mesh.ztunnelProcessID("a")
      kill(tunnel, SIGSTOP)
      defer { kill(tunnel, SIGCONT) }
      try await eventually("the resolver answers") {
        try await mesh.ask("www.example.org", "A", "timeout=0.5")["answers"].texts
          == ["203.0.113.1"]
      }
      kill(tunnel, SIGCONT)
      try await eventually("the mesh answers again") {
        try await mesh.ask("web")["answers"].texts == ["10.96.0.20"]
      }
    }
  }
}
