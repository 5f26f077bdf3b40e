import Foundation
import Linux
import NodeHarness
import Testing

extension `A node` {
  /// A peer with a valid certificate of the mesh dials an enrolled pod's tunnel port.
  @Suite(
    .serialized,
    .mesh { mesh in
      try await mesh.addShop()
      try await mesh.startShop()
    })
  struct `survives a member that breaks HTTP/2` {
    /// Everything after the first 200 on stream 1, one rule each; the code is RFC 9113's.
    @Test(arguments: [
      ("DATA on the connection", "PROTOCOL_ERROR"),
      ("DATA on an idle stream", "PROTOCOL_ERROR"),
      ("DATA with more padding than payload", "PROTOCOL_ERROR"),
      ("HEADERS on the connection", "PROTOCOL_ERROR"),
      ("HEADERS on a stream of the server", "PROTOCOL_ERROR"),
      ("HEADERS with more padding than payload", "PROTOCOL_ERROR"),
      ("HEADERS with an index of no table", "COMPRESSION_ERROR"),
      ("HEADERS with index zero", "COMPRESSION_ERROR"),
      ("HEADERS with bad Huffman code", "COMPRESSION_ERROR"),
      ("HEADERS with an endless integer", "COMPRESSION_ERROR"),
      ("HEADERS interrupted by PING", "PROTOCOL_ERROR"),
      ("PRIORITY on the connection", "PROTOCOL_ERROR"),
      ("RST_STREAM of three bytes", "FRAME_SIZE_ERROR"),
      ("RST_STREAM on an idle stream", "PROTOCOL_ERROR"),
      ("RST_STREAM on the connection", "PROTOCOL_ERROR"),
      ("SETTINGS of five bytes", "FRAME_SIZE_ERROR"),
      ("SETTINGS on a stream", "PROTOCOL_ERROR"),
      ("SETTINGS acknowledged with payload", "FRAME_SIZE_ERROR"),
      ("SETTINGS acknowledged twice", "PROTOCOL_ERROR"),
      ("SETTINGS with a window of 2^31", "FLOW_CONTROL_ERROR"),
      ("SETTINGS with frames of 100 bytes", "PROTOCOL_ERROR"),
      ("SETTINGS with push 2", "PROTOCOL_ERROR"),
      ("PUSH_PROMISE", "PROTOCOL_ERROR"),
      ("PING of seven bytes", "FRAME_SIZE_ERROR"),
      ("PING on a stream", "PROTOCOL_ERROR"),
      ("GOAWAY of seven bytes", "FRAME_SIZE_ERROR"),
      ("GOAWAY on a stream", "PROTOCOL_ERROR"),
      ("WINDOW_UPDATE of three bytes", "FRAME_SIZE_ERROR"),
      ("WINDOW_UPDATE of zero", "PROTOCOL_ERROR"),
      ("WINDOW_UPDATE beyond 2^31", "FLOW_CONTROL_ERROR"),
      ("WINDOW_UPDATE on an idle stream", "PROTOCOL_ERROR"),
      ("CONTINUATION of nothing", "PROTOCOL_ERROR"),
      ("a frame of 16 MiB", "FRAME_SIZE_ERROR"),
    ])
    func `with one frame, which ends its connection alone`(name: String, code: String) async throws
    {
      let mesh = try Mesh.shared
      let unharmed = try await Unharmed(in: mesh)
      let outcome = try await mesh.attack("frame", name)
      #expect(outcome["status"].int == 200, "the attack began well: \(outcome)")
      #expect(outcome["goaway"].string == code, "\(outcome)")
      #expect(outcome["ended"].string != "", "\(outcome)")
      try await unharmed.expect(name, in: mesh)
    }

    @Test(arguments: ["preface", "flipped"])
    func `before the first frame or below it`(name: String) async throws {
      let mesh = try Mesh.shared
      let unharmed = try await Unharmed(in: mesh)
      let outcome = try await mesh.attack(name)
      #expect(outcome["up"].bool == true && outcome["ended"].string != "", "\(outcome)")
      try await unharmed.expect(name, in: mesh)
    }

    @Test func `by saying nothing, for at most ten seconds`() async throws {
      let mesh = try Mesh.shared
      let outcome = try await mesh.attack("silent")
      #expect(outcome["up"].bool == true && outcome["ended"].string != "", "\(outcome)")
      #expect((9..<20).contains(outcome["seconds"].double ?? 0), "\(outcome)")
    }

    /// Each would go on for ten seconds if nothing ended it.
    @Test(arguments: [
      "CONTINUATION", "CONTINUATION with fields", "SETTINGS", "PING", "empty DATA", "padded DATA",
      "PRIORITY", "unknown frames", "WINDOW_UPDATE", "GOAWAY",
    ])
    func `with a flood, and tells it to calm down`(name: String) async throws {
      let mesh = try Mesh.shared
      let unharmed = try await Unharmed(in: mesh)
      let outcome = try await mesh.attack("flood", name)
      #expect(outcome["ended"].string != "", "\(outcome)")
      #expect(try #require(outcome["seconds"].double) < 9, "\(outcome)")
      // A reset may overtake the GOAWAY while the flood is on its way.
      #expect([nil, "ENHANCE_YOUR_CALM"].contains(outcome["goaway"].string), "\(outcome)")
      try await unharmed.expect("\(name) flood", in: mesh)
    }

    @Test func `with requests it resets at once`() async throws {
      let mesh = try Mesh.shared
      let unharmed = try await Unharmed(in: mesh)
      let outcome = try await mesh.attack("rapid-reset")
      #expect(outcome["ended"].string != "", "\(outcome)")
      #expect(try #require(outcome["seconds"].double) < 9, "\(outcome)")
      try await unharmed.expect("rapid reset", in: mesh)
    }

    @Test func `with more streams than it may have, of which the first are served`() async throws {
      let mesh = try Mesh.shared
      let unharmed = try await Unharmed(in: mesh)
      let outcome = try await mesh.attack("too-many-streams", "300")
      #expect(outcome["good"].int == 200 && outcome["refused"].int == 100, "\(outcome)")
      #expect(outcome["ended"].string == "", "the connection goes on: \(outcome)")
      try await unharmed.expect("300 streams", in: mesh)
    }

    @Test func `with megabytes of headers`() async throws {
      let mesh = try Mesh.shared
      let unharmed = try await Unharmed(in: mesh)
      let fitting = try await mesh.attack("giant-headers", "40000")
      #expect(fitting["status"].int == 200, "within the announced 64 KiB: \(fitting)")
      let outcome = try await mesh.attack("giant-headers", "4000000")
      #expect(outcome["ended"].string != "" && outcome["status"].int == nil, "\(outcome)")
      try await unharmed.expect("4 MB of headers", in: mesh)
    }

    @Test func `with bytes beyond the windows it was given`() async throws {
      let mesh = try Mesh.shared
      let unharmed = try await Unharmed(in: mesh)
      let unread = try await mesh.spawn(in: "server", "hostile.py", "unread", "", "", "9000")
      try await unread.waitFor("ready")
      let outcome = try await mesh.attack("window", "9000")
      #expect(outcome["status"].int == 200, "\(outcome)")
      #expect(outcome["resets"]["1"].string == "FLOW_CONTROL_ERROR", "\(outcome)")
      #expect(try #require(outcome["sent"].int) < 16 << 20, "\(outcome)")
      try await unharmed.expect("a window overflow", in: mesh)
      unread.signal(.kill)
    }

    @Test func `that never reads, holding back what is for it`() async throws {
      let mesh = try Mesh.shared
      let unharmed = try await Unharmed(in: mesh)
      let before = try await mesh.residency("b")
      let attack = try await mesh.beginAttack("deaf", "10", "50", "1000000000")
      try await attack.waitFor("streams", within: .seconds(30))
      // Long enough for the server to fill every buffer on the way.
      try await Task.sleep(for: .seconds(3))
      let during = try await mesh.residency("b")
      #expect(
        during.resident - before.resident < 32 << 20,
        "500 streams of 1 GB each are held back: \(before) before, \(during) now")
      try await unharmed.expect("500 unread streams", in: mesh)
      attack.closeInput()
      #expect(try await attack.finish().json()["streams"].int == 500)
      try await unharmed.expect("500 unread streams", in: mesh)
    }
  }
}
