import Foundation
import Glibc
import NodeHarness
import Testing
import TestSupport

extension `A node` {
  @Suite(
    .serialized,
    .mesh(arguments: ["--leaf-lifetime", "10s"]) { mesh in
      try await mesh.addShop()
      try await mesh.addImpostor()
      try await mesh.startShop()
    })
  struct `renews certificates` {
    @Test func `at half their life, while a connection lives on and new ones come up`() async throws
    {
      let mesh = try Mesh.shared
      let server = try await #require(mesh.pods["server"]).ip4
      let held = try await mesh.spawn(
        in: "client", "peer.py", "hold", server, "8080", "25", "0.05")
      try await held.waitFor("open")
      let impostor = try await mesh.impersonate("good")
      let host = try await #require(mesh.pods["impostor"]).ip4
      var serials: Set<String> = []
      let end = ContinuousClock.now + .seconds(25)
      while ContinuousClock.now < end {
        let leaf = try await mesh.attack("leaf")
        serials.insert(try #require(leaf["serial"].string))
        #expect(try #require(leaf["secondsLeft"].double) > 2, "renewed late: \(leaf)")
        // The impostor ends each tunnel after one stream, so each time another comes up.
        let answer = try await mesh.client(in: "client", "get", host, "8080", "name", "3")
        #expect(answer["answer"].string == "|impostor", "\(answer)")
        try await Task.sleep(for: .milliseconds(200))
      }
      let result = try await held.finish().json()
      #expect(result["ended"].string == "", "the long connection noticed: \(result)")
      #expect((4...8).contains(serials.count), "\(serials.count) certificates in 25 s")

      impostor.closeInput()
      let clients = try await impostor.finish().json()["clients"].array
      let theirs = Set(clients.compactMap { $0["serialNumber"].string })
      #expect((4...8).contains(theirs.count), "\(theirs.count) of the client in 25 s")
      #expect(try await mesh.status("b")["ztunnel"]["restarts"].int == 0)
    }

    @Test func `and says in its status which one it shows`() async throws {
      let mesh = try Mesh.shared
      let name = "spiffe://cluster.local/ns/shop/sa/server"
      var shown = JSON.null
      var said = JSON.null
      try await eventually("one certificate through three looks") {
        said = try await #require(
          mesh.status("b")["certificates"].array.first { $0["identity"].string == name })
        shown = try await mesh.attack("leaf")
        let after = try await mesh.status("b")["certificates"].array.first {
          $0["identity"].string == name
        }
        return after?["serialNumber"].string == said["serialNumber"].string
      }
      #expect(shown["serial"].string == said["serialNumber"].string)
      #expect(shown["names"][0].string == "URI:\(name)")
      let ends = try Date(
        #require(said["notAfter"].string),
        strategy: Date.ISO8601FormatStyle(includingFractionalSeconds: true))
      #expect(ends.timeIntervalSince1970 == shown["notAfter"].double, "\(said) \(shown)")
      #expect(said["roots"].int == 1)
    }

    @Test func `with keys that are on no disk`() async throws {
      let mesh = try Mesh.shared
      let modes = try await run(
        "stat", "-c", "%a", mesh.authority, "\(mesh.authority)/ca.key")
      #expect(modes.standardOutput == "700\n600\n")
      for name in ["a", "b"] {
        let directory = try await #require(mesh.nodes[name]).stateDirectory
        #expect(try keys(in: directory) == [])
        // Nor in a file that ztunnel holds open; its output and its pods' namespaces it must.
        let process = try await mesh.ztunnelProcessID(name)
        let open = try await run(
          "bash", "-c",
          "cd /proc/\(process)/fd; for f in *; do [ $f -le 2 -o ! -f $f ] || readlink $f; done")
        let files = open.standardOutput.split(separator: "\n").filter {
          !$0.hasPrefix("/run/netns/") && !$0.hasPrefix("net:[") && !$0.hasPrefix("anon_inode:")
        }
        #expect(files == [])
      }
      #expect(
        try keys(in: mesh.authority).map { $0.lastPathComponent } == ["ca.key"],
        "the search itself finds the one key there is")
    }

    /// Files under a directory that hold a private key, as PEM or as DER (RFC 5915, RFC 5958).
    private func keys(in directory: String) throws -> [URL] {
      let files = try #require(
        FileManager.default.enumerator(
          at: URL(filePath: directory), includingPropertiesForKeys: [.isRegularFileKey]))
      let marks = [Data("PRIVATE KEY".utf8), Data([0x02, 0x01, 0x01, 0x04, 0x20])]
      return try files.compactMap { $0 as? URL }.filter { file in
        guard try file.resourceValues(forKeys: [.isRegularFileKey]).isRegularFile == true else {
          return false
        }
        let bytes = try Data(contentsOf: file)
        return marks.contains { bytes.range(of: $0) != nil }
      }
    }
  }

  @Suite(
    .serialized,
    .mesh(arguments: ["--leaf-lifetime", "10s"]) { mesh in
      try await mesh.addShop()
      try await mesh.addImpostor()
      for number in 0..<8 { try await mesh.addPod("visitor\(number)", on: "a") }
      try await mesh.startShop()
      for number in 0..<8 { try await mesh.waitUntilEnrolled("visitor\(number)") }
    })
  struct `changes its root` {
    /// New tunnels in every direction: node to node, a peer's to us, ours to a peer.
    func expectNewTunnels(_ visitor: Int, _ when: String) async throws {
      let mesh = try Mesh.shared
      let server = try await #require(mesh.pods["server"]).ip4
      let direct = try await mesh.client(
        in: "visitor\(visitor)", "get", server, "8080", "name", "3")
      #expect(direct["answer"].string?.hasSuffix("|server") == true, "\(when): \(direct)")
      let inbound = try await mesh.attack("good")
      #expect(inbound["status"].int == 200, "\(when): \(inbound)")
      let host = try await #require(mesh.pods["impostor"]).ip4
      let outbound = try await mesh.client(in: "client", "get", host, "8080", "name", "3")
      #expect(outbound["answer"].string == "|impostor", "\(when): \(outbound)")
    }

    func waitForRoots(_ count: Int) async throws {
      let mesh = try Mesh.shared
      for node in ["a", "b"] {
        try await eventually("node \(node) trusts \(count) roots") {
          let certificates = try await mesh.status(node)["certificates"].array
          return !certificates.isEmpty && certificates.allSatisfy { $0["roots"].int == count }
        }
      }
    }

    @Test func `while both are trusted, and no connection notices`() async throws {
      let mesh = try Mesh.shared
      let (authority, next) = (mesh.authority, "\(mesh.directory)/next")
      let server = try await #require(mesh.pods["server"]).ip4
      let held = try await mesh.spawn(
        in: "client", "peer.py", "hold", server, "8080", "90", "0.05")
      try await held.waitFor("open")
      let impostor = try await mesh.impersonate("good")
      try await expectNewTunnels(0, "under the old root")
      let old = try await mesh.attack("leaf")["issuer"].string

      try await mesh.shell(
        """
        mkdir -p \(next) \(authority)/roots; cp -r \(authority) \(mesh.directory)/old
        openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out \(next)/ca.key
        openssl req -x509 -new -key \(next)/ca.key -subj "/O=cluster.local/CN=The next root" \
          -days 30 -addext keyUsage=critical,keyCertSign -out \(next)/ca.crt
        chmod 600 \(next)/ca.key; cp \(next)/ca.crt \(authority)/roots/next.crt
        """)
      try await waitForRoots(2)
      try await expectNewTunnels(1, "when the new root is announced")

      try await mesh.shell(
        """
        cp \(authority)/ca.crt \(authority)/roots/old.crt
        mv \(next)/ca.key \(authority)/ca.key; mv \(next)/ca.crt \(authority)/ca.crt
        """)
      for visitor in 2..<7 {
        try await expectNewTunnels(visitor, "while certificates change, \(visitor)")
        try await Task.sleep(for: .seconds(1))
      }
      try await eventually("a certificate of the new root") {
        try await mesh.attack("leaf")["issuer"].string != old
      }
      // Every leaf of the old root is gone after the longest life one can have.
      try await Task.sleep(for: .seconds(10))
      #expect(try held.outcome() == nil, "the long connection noticed")
      try await mesh.shell("rm \(authority)/roots/*.crt")
      try await waitForRoots(1)
      try await expectNewTunnels(7, "without the old root")

      let stranger = try await mesh.spawn(
        in: "stranger", "hostile.py", "certificate", "\(mesh.directory)/old", server, "good")
      let refused = try await stranger.finish().json()
      #expect(refused["ended"].string?.contains("UNKNOWN_CA") == true, "the old root: \(refused)")
      // It began under the old root, and lives no longer than that is trusted.
      let result = try await held.finish().json()
      #expect(result["ended"].string != "", "the long connection outlived its root: \(result)")
      impostor.closeInput()
      _ = try await impostor.finish()
    }
  }

  @Suite(
    .serialized,
    .mesh { mesh in
      try await mesh.addShop()
      try await mesh.startShop()
    })
  struct `hands ztunnel the roots` {
    @Test func `that changed while the node agent was away`() async throws {
      let mesh = try Mesh.shared
      let chains = try await #require(mesh.nodes["a"]).stateDirectory + "/certificates"
      try await eventually("the certificate in use is kept") {
        try await run("stat", "-c", "%a", chains, expecting: nil).standardOutput == "600\n"
      }
      let before = try await mesh.status("a")["certificates"][0]
      #expect(before["roots"].int == 1)
      let agent = try await #require(mesh.status("a")["node"]["processID"].int)
      kill(Int32(agent), SIGKILL)
      _ = try await mesh.agent("a").finish()
      try await mesh.shell(
        """
        mkdir -p \(mesh.authority)/roots
        openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout /dev/null \
          -subj "/O=cluster.local/CN=The next root" -days 30 \
          -addext keyUsage=critical,keyCertSign -out \(mesh.authority)/roots/next.crt
        """)
      try await mesh.startAgent("a")
      try await mesh.waitUntilEnrolled("client")
      try await eventually("ztunnel trusts both, with the certificate it has") {
        let after = try await mesh.status("a")["certificates"][0]
        return after["roots"].int == 2
          && after["serialNumber"].string == before["serialNumber"].string
      }
    }
  }
}
