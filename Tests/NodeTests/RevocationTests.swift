import Foundation
import Glibc
import NodeHarness
import Testing
import TestSupport

extension Mesh {
  package nonisolated var revocations: String { "\(directory)/crl" }

  /// Puts a file into the watched directory, as an editor or a ConfigMap's mount would.
  func putRevocations(_ text: String) throws {
    let path = "\(revocations)/list.pem"
    try text.write(toFile: path + ".tmp", atomically: false, encoding: .utf8)
    guard unsafe rename(path + ".tmp", path) == 0 else {
      throw CocoaError(.fileWriteUnknown)
    }
  }

  /// A list of the mesh's authority that takes back what has these serial numbers.
  func revoke(_ serialNumbers: [String], authority: String? = nil) async throws -> String {
    let scratch = "\(directory)/crl-\(UInt32.random(in: 0...UInt32.max))"
    let authority = authority ?? self.authority
    let entries = serialNumbers.map { number in
      let digits = (number.utf8.count % 2 == 0 ? "" : "0") + number.uppercased()
      return "R\t301231235959Z\t251101000000Z\t\(digits)\tunknown\t/CN=x\n"
    }
    try FileManager.default.createDirectory(atPath: scratch, withIntermediateDirectories: true)
    try entries.joined().write(toFile: scratch + "/index", atomically: true, encoding: .utf8)
    try """
    [ca]
    default_ca = own
    [own]
    database = \(scratch)/index
    certificate = \(authority)/ca.crt
    private_key = \(authority)/ca.key
    default_md = sha256
    default_crl_days = 1
    """.write(toFile: scratch + "/conf", atomically: true, encoding: .utf8)
    try await run(
      "openssl", "ca", "-gencrl", "-config", scratch + "/conf", "-out", scratch + "/crl.pem")
    return try String(contentsOfFile: scratch + "/crl.pem", encoding: .utf8)
  }

  /// The serial number of the certificate ztunnel shows for a pod.
  func serialNumber(of pod: String, on node: String) async throws -> String {
    let found = try await status(node)["certificates"].array.first {
      $0["identity"].string?.hasSuffix("/sa/\(pod)") == true
    }
    return try #require(found?["serialNumber"].string)
  }

  func revocationState(_ node: String) async throws -> JSON {
    try await status(node, "trust")["revocations"]
  }

  func waitForRevocations(_ what: String, on node: String, _ isIt: (JSON) -> Bool) async throws {
    try await eventually("revocations on \(node): \(what)") {
      let status = try await self.status(node, "trust")
      return isIt(status["revocations"])
    }
  }

  /// Stops the node agent, and its ztunnel with it when it is asked to.
  func stopAgent(_ node: String, kill isKilled: Bool) async throws {
    let process = try await #require(status(node)["node"]["processID"].int)
    Glibc.kill(Int32(process), isKilled ? SIGKILL : SIGTERM)
    _ = try await agent(node).finish()
  }

  func answer(from pod: String = "server", in client: String = "client") async throws -> JSON {
    let host = try #require(pods[pod]).ip4
    return try await self.client(in: client, "get", host, "8080", "name", "3")
  }
}

extension JSON {
  var isServed: Bool { self["answer"].string?.hasSuffix("|server") == true }
}

extension `A node` {
  @Suite(
    .serialized,
    .mesh { mesh in
      try await mesh.addShop()
      try await mesh.shell("mkdir -p \(mesh.revocations); : > \(mesh.revocations)/list.pem")
      for node in ["a", "b"] {
        try await mesh.startAgent(
          node,
          source: [
            "--config", "\(mesh.directory)/manifests", "--ca-dir", mesh.authority, "--crl-file",
            "\(mesh.revocations)/list.pem", "--drain", "0s", "--metrics-address",
            "127.0.0.1:15020",
          ])
      }
      try await mesh.serve(in: "server")
      try await mesh.waitUntilEnrolled("client", "server")
    })
  struct `goes by a revocation file` {
    @Test func `an empty one takes nothing back`() async throws {
      let mesh = try Mesh.shared
      let state = try await mesh.revocationState("b")
      #expect(state["state"].string == "enforced", "\(state)")
      #expect(state["entries"].int == 0)
      #expect(try await mesh.answer().isServed)
      let node = try await mesh.status("b")["node"]
      #expect(node["isHealthy"].bool == true, "\(node)")
    }

    @Test
    func `a certificate taken back is cut, and let in when it is given back`()
      async throws
    {
      let mesh = try Mesh.shared
      let host = try await #require(mesh.pods["server"]).ip4
      let held = try await mesh.spawn(in: "client", "peer.py", "hold", host, "8080", "20", "0.05")
      try await held.waitFor("open")
      let serial = try await mesh.serialNumber(of: "client", on: "a")
      let list = try await mesh.revoke([serial])
      let began = ContinuousClock.now
      try await mesh.putRevocations(list)
      let result = try await held.finish().json()
      let taken = ContinuousClock.now - began
      #expect(result["ended"].string != "", "the connection lives on: \(result)")
      #expect(taken < .seconds(8), "cut after \(taken)")

      let state = try await mesh.revocationState("b")
      #expect(state["state"].string == "enforced" && state["entries"].int == 1, "\(state)")
      #expect(try await !mesh.answer().isServed)
      try await expectRecords(of: serial)

      try await mesh.putRevocations(try await mesh.revoke([]))
      try await mesh.waitForRevocations("no entry", on: "b") { $0["entries"].int == 0 }
      try await mesh.waitForRevocations("no entry", on: "a") { $0["entries"].int == 0 }
      #expect(try await mesh.answer().isServed)
    }

    /// What both ends have to tell of it.
    private func expectRecords(of serial: String) async throws {
      let mesh = try Mesh.shared
      for node in ["a", "b"] {
        let refusals = try await mesh.status(node, "refusals").array
        #expect(
          refusals.contains { $0["cause"].string == "CERT_REVOKED" }, "node \(node): \(refusals)")
      }
      let cut = try await mesh.status("b", "refusals").array.first {
        $0["endedLiveConnection"].bool == true
      }
      #expect(cut?["reason"].string?.contains(serial) == true, "\(String(describing: cut))")
      let certificates = try await mesh.status("a")["certificates"].array
      #expect(
        certificates.contains { $0["state"].string?.hasPrefix("revoked (serial") == true },
        "\(certificates)")
      let health = try await mesh.status("a")["node"]
      #expect(health["isHealthy"].bool == false)
      #expect(
        health["problems"].array.contains { $0.string?.contains("is revoked") == true },
        "\(health)")
      let node = try await #require(mesh.nodes["b"]).namespace
      let metrics = try await run(
        "nsenter", "--net=/run/netns/\(node)", "curl", "-s", "http://127.0.0.1:15020/metrics")
      let line = metrics.standardOutput.split(separator: "\n").first {
        $0.hasPrefix("istio_crl_policy_rejections_total{reporter=\"destination\"}")
      }
      let count = line.flatMap { $0.split(separator: " ").last }.flatMap { Double($0) } ?? 0
      #expect(count >= 1, "\(String(describing: line))")
    }

    @Test(arguments: ["garbage", "-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n"])
    func `one that cannot be read leaves the last good one in force, and says so`(text: String)
      async throws
    {
      let mesh = try Mesh.shared
      let serial = try await mesh.serialNumber(of: "client", on: "a")
      try await mesh.putRevocations(try await mesh.revoke([serial]))
      try await mesh.waitForRevocations("one entry", on: "b") { $0["entries"].int == 1 }
      try await mesh.putRevocations(text)
      try await mesh.waitForRevocations("an error", on: "b") { $0["state"].string == "last good" }
      let state = try await mesh.revocationState("b")
      #expect(state["entries"].int == 1 && state["lastError"].string != nil, "\(state)")
      #expect(try await !mesh.answer().isServed)
      let problems = try await mesh.status("b")["node"]["problems"].array.compactMap(\.string)
      #expect(problems.contains { $0.contains("list.pem: ") && $0.contains("last good") })

      // Nor does one that somebody else signed in the authority's name.
      try await forge()
      try await mesh.waitForRevocations("a forgery", on: "b") {
        $0["lastError"].string?.contains("not signed by it") == true
      }
      #expect(try await !mesh.answer().isServed)

      try await mesh.putRevocations("")
      for node in ["a", "b"] {
        try await mesh.waitForRevocations("good again", on: node) {
          $0["state"].string == "enforced" && $0["lastError"].string == nil
        }
      }
      #expect(try await mesh.answer().isServed)
    }

    /// An empty list in the authority's name, signed with another key.
    private func forge() async throws {
      let mesh = try Mesh.shared
      let other = "\(mesh.directory)/forger"
      try await mesh.shell(
        """
        mkdir -p \(other); [ -e \(other)/ca.key ] || openssl genpkey -algorithm EC \
          -pkeyopt ec_paramgen_curve:P-256 -out \(other)/ca.key
        name=$(openssl x509 -in \(mesh.authority)/ca.crt -noout -subject -nameopt compat)
        openssl req -x509 -new -key \(other)/ca.key -subj "${name#subject=}" -days 2 \
          -out \(other)/ca.crt
        """)
      try await mesh.putRevocations(try await mesh.revoke([], authority: other))
    }

    @Test(arguments: [true, false])
    func `a restart beside a broken file goes on with the last good one`(isKilled: Bool)
      async throws
    {
      let mesh = try Mesh.shared
      let serial = try await mesh.serialNumber(of: "client", on: "a")
      try await mesh.putRevocations(try await mesh.revoke([serial]))
      try await mesh.waitForRevocations("one entry", on: "b") { $0["entries"].int == 1 }
      try await mesh.putRevocations("garbage")
      try await mesh.waitForRevocations("an error", on: "b") { $0["state"].string == "last good" }
      try await mesh.stopAgent("b", kill: isKilled)
      try await mesh.startAgent(
        "b",
        source: [
          "--config", "\(mesh.directory)/manifests", "--ca-dir", mesh.authority, "--crl-file",
          "\(mesh.revocations)/list.pem", "--drain", "0s",
        ])
      try await mesh.waitUntilEnrolled("server")
      let state = try await mesh.revocationState("b")
      #expect(state["state"].string == "last good" && state["entries"].int == 1, "\(state)")
      #expect(try await !mesh.answer().isServed)
      try await mesh.putRevocations("")
      try await mesh.waitForRevocations("good again", on: "b") {
        $0["state"].string == "enforced"
      }
      try await mesh.waitForRevocations("good again", on: "a") {
        $0["state"].string == "enforced"
      }
      #expect(try await mesh.answer().isServed)
    }
  }

  @Suite(
    .serialized,
    .mesh { mesh in
      try await mesh.addShop()
      try await mesh.shell("mkdir -p \(mesh.revocations)")
      try await mesh.startAgent("a")
      try await mesh.startAgent(
        "b",
        source: [
          "--config", "\(mesh.directory)/manifests", "--ca-dir", mesh.authority, "--crl-file",
          "\(mesh.revocations)/list.pem",
        ])
      try await mesh.serve(in: "server")
      try await mesh.waitUntilEnrolled("client", "server")
    })
  struct `that never saw its revocation file` {
    @Test func `lets nobody in, says why, and serves once it is there`() async throws {
      let mesh = try Mesh.shared
      let state = try await mesh.revocationState("b")
      #expect(state["state"].string == "refusing", "\(state)")
      #expect(state["lastError"].string == "no such file")
      #expect(try await !mesh.answer().isServed)
      let problems = try await mesh.status("b")["node"]["problems"].array.compactMap(\.string)
      #expect(problems.contains { $0.contains("no connection between nodes is let in") })
      try await mesh.putRevocations("garbage")
      try await mesh.waitForRevocations("another reason", on: "b") {
        $0["lastError"].string?.contains("expected") == true
      }
      #expect(try await !mesh.answer().isServed)

      // As Kubernetes mounts a ConfigMap: the file is a link through a directory that is swapped.
      let list = try await mesh.revoke([])
      try await mesh.shell(
        """
        cd \(mesh.revocations); rm list.pem; mkdir ..one ..two
        cat > ..one/list.pem <<'END'
        \(list)
        END
        ln -s ..one ..data; ln -s ..data/list.pem list.pem
        """)
      try await mesh.waitForRevocations("a list", on: "b") { $0["state"].string == "enforced" }
      #expect(try await mesh.answer().isServed)
      let serial = try await mesh.serialNumber(of: "client", on: "a")
      let next = try await mesh.revoke([serial])
      let began = ContinuousClock.now
      try await mesh.shell(
        """
        cd \(mesh.revocations)
        cat > ..two/list.pem <<'END'
        \(next)
        END
        ln -s ..two ..new; mv -T ..new ..data
        """)
      try await mesh.waitForRevocations("an entry", on: "b") { $0["entries"].int == 1 }
      #expect(ContinuousClock.now - began < .seconds(8))
      #expect(try await !mesh.answer().isServed)
    }
  }
}
