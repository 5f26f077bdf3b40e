import Foundation
import Linux
import NodeHarness
import Testing
import TestSupport

extension `Beside other programs` {
  /// h2 and hyperframe, an HTTP/2 of pure Python, behind a member's certificate; see
  /// Programs/strict.py and frames.py.
  @Suite(
    .serialized,
    .mesh { mesh in
      try await mesh.addShop()
      try await mesh.startShop()
    })
  struct `a node answers h2` {
    func spawn(_ command: String, _ words: String...) async throws -> Running {
      let mesh = try Mesh.shared
      return try await mesh.spawn(in: "stranger", "frames.py", [command] + words)
    }

    /// A case by its name, against the server.
    func run(_ command: String, _ name: String) async throws -> JSON {
      let mesh = try Mesh.shared
      return try await spawn(command, name, mesh.authority, mesh.address(of: "server"))
        .finish().json()
    }

    @Test func `in a way that its strict state machine takes`() async throws {
      let mesh = try Mesh.shared
      let outcome = try await mesh.spawn(
        in: "stranger", "strict.py", "talk", mesh.authority, mesh.address(of: "server"),
        String(8 << 20)
      ).finish().json()
      #expect(outcome["status"].int == 200 && outcome["error"].string == "", "\(outcome)")
      #expect(outcome["received"].int == 8 << 20 && outcome["ended"].bool == true, "\(outcome)")
    }

    @Test(arguments: [
      "padded frames", "headers in 12 frames", "settings it does not know", "extension frames",
      "a priority tree", "its own GOAWAY", "GOAWAY for ever lower streams",
      "END_STREAM on a padded frame",
    ])
    func `when it does what few do but all may`(name: String) async throws {
      let outcome = try await run("exchange", name)
      #expect(outcome["then"].int == 200 && outcome["goaway"].string == nil, "\(outcome)")
      #expect(outcome["resets"].object.isEmpty, "\(outcome)")
    }

    @Test(arguments: [
      ("DATA after its own RST_STREAM", "1", "STREAM_CLOSED"),
      ("DATA after END_STREAM", "1", "STREAM_CLOSED"),
      ("HEADERS after END_STREAM", "1", "STREAM_CLOSED"),
      ("trailers", "1", "PROTOCOL_ERROR"),
      ("WINDOW_UPDATE beyond a stream's window", "1", "FLOW_CONTROL_ERROR"),
      ("DATA on a stream of the past", "5", "STREAM_CLOSED"),
      ("a header bomb", "5", "ENHANCE_YOUR_CALM"),
      ("5000 sizes of the table", "3", "PROTOCOL_ERROR"),
    ])
    func `with the end of one stream when it breaks the rules of one`(
      name: String, stream: String, code: String
    ) async throws {
      let mesh = try Mesh.shared
      let unharmed = try await Unharmed(in: mesh)
      let outcome = try await run("exchange", name)
      #expect(outcome["resets"][stream].string == code, "\(outcome)")
      #expect(outcome["then"].int == 200, "another stream lives on: \(outcome)")
      try await unharmed.expect(name, in: mesh)
    }

    @Test(arguments: [
      ("settings that overflow a stream's window", "FLOW_CONTROL_ERROR"),
      ("HEADERS on a stream of the past", "PROTOCOL_ERROR"),
      ("a size of the table above ours", "COMPRESSION_ERROR"),
      ("1000 settings in one frame", "ENHANCE_YOUR_CALM"),
    ])
    func `with the end of its connection when it breaks those of all`(
      name: String, code: String
    ) async throws {
      let mesh = try Mesh.shared
      let unharmed = try await Unharmed(in: mesh)
      let outcome = try await run("exchange", name)
      #expect(outcome["first"].int == 200 && outcome["then"].int == nil, "\(outcome)")
      #expect(outcome["goaway"].string == code && outcome["ended"].string != "", "\(outcome)")
      try await unharmed.expect(name, in: mesh)
    }

    /// Each would go on for ten seconds.
    @Test(arguments: [
      "rapid reset", "made you reset", "PING", "SETTINGS that move every window",
      "GOAWAY with debug data", "WINDOW_UPDATE of one byte", "CONTINUATION of one byte",
      "PRIORITY_UPDATE", "padding alone",
    ])
    func `a flood by telling it to calm down`(name: String) async throws {
      let mesh = try Mesh.shared
      let unharmed = try await Unharmed(in: mesh)
      let outcome = try await run("flood", name)
      #expect(outcome["first"].int == 200 && outcome["ended"].string != "", "\(outcome)")
      #expect(try #require(outcome["seconds"].double) < 9, "\(outcome)")
      // A reset may overtake the GOAWAY while the flood is on its way.
      #expect([nil, "ENHANCE_YOUR_CALM"].contains(outcome["goaway"].string), "\(outcome)")
      try await unharmed.expect("\(name) flood", in: mesh)
    }

    @Test func `when it opens no window for 200 streams, holding 1 MB for none of them`()
      async throws
    {
      let mesh = try Mesh.shared
      let unharmed = try await Unharmed(in: mesh)
      let before = try await mesh.residency("b")
      let stalled = try await spawn(
        "stalled", mesh.authority, mesh.address(of: "server"), "200", "1000000")
      try await stalled.waitFor("stalled")
      try await Task.sleep(for: .seconds(2))
      let during = try await mesh.residency("b")
      #expect(
        during.resident - before.resident < 16 << 20, "\(before) before, \(during) meanwhile")
      try await unharmed.expect("200 stalled streams", in: mesh)
      stalled.closeInput()
      let outcome = try await stalled.finish().json()
      #expect(outcome["good"].int == 200 && outcome["early"].int == 0, "\(outcome)")
      #expect(outcome["taken"].int == 1_000_000, "by 1000 bytes at a time: \(outcome)")
      try await unharmed.expect("200 stalled streams", in: mesh)
    }

    @Test func `when it shrinks a window below what is in flight`() async throws {
      let mesh = try Mesh.shared
      let outcome = try await spawn("shrunk", mesh.authority, mesh.address(of: "server"))
        .finish().json()
      #expect(outcome["held"].int == 60_000, "nothing while the window is negative: \(outcome)")
      #expect(outcome["taken"].int == 100_000, "\(outcome)")
    }

    @Test func `when it resets thousands of connections in use, keeping nothing of them`()
      async throws
    {
      let mesh = try Mesh.shared
      let unharmed = try await Unharmed(in: mesh)
      let outcome = try await spawn("churn", mesh.authority, mesh.address(of: "server"), "3")
        .finish().json()
      #expect(outcome["good"].int == outcome["asked"].int, "\(outcome)")
      #expect(outcome["then"].int == 200, "\(outcome)")
      try await unharmed.expect("churn", in: mesh)
      let stranger = try await mesh.address(of: "stranger")
      try await eventually("no connection of the stranger is left") {
        try await mesh.status("b")["connections"].array.allSatisfy {
          $0["source"].string?.contains(stranger) != true
        }
      }
    }
  }

  /// Where manifests promise an enrolled pod, h2's own server answers with that pod's identity.
  @Suite(
    .serialized,
    .mesh { mesh in
      try await mesh.addShop()
      try await mesh.addImpostor("waypoint")
      try await mesh.startShop()
    })
  struct `a node dials h2` {
    @Test(arguments: [
      "plain", "windows of 1000 bytes", "one stream at a time", "long headers",
      "PING and SETTINGS now and then", "padded frames",
    ])
    func `and neither finds a fault with the other`(name: String) async throws {
      let mesh = try Mesh.shared
      let peer = try await mesh.spawn(in: "waypoint", "strict.py", "serve", name, mesh.authority)
      try await peer.waitFor("ready")
      let address = try await mesh.address(of: "waypoint")
      let result = try await mesh.spawn(
        in: "client", "endings.py", "echo", address, "8080", "1000000", "10"
      ).finish().json()
      #expect(result["good"].int == 10 && result["faults"].array.isEmpty, "\(result)")
      peer.closeInput()
      let seen = try await peer.finish().json()
      #expect(seen["faults"].array.isEmpty, "\(seen)")
    }
  }
}
