import CertificateAuthority
import ControlAPI
import Linux
import MeshModel
import Testing
import TestSupport

@testable import ControlPlane

private let web = Plane.Pod("web", node: "a", account: "web")

@Suite(.fewAtOnce) struct `The certificate of the port` {
  /// Puts a certificate of an authority in place; the authority's own is `<name>/ca.crt`.
  private static func show(_ name: String, in directory: String) throws {
    let authority = try CertificateAuthority(
      directory: "\(directory)/\(name)", trustDomain: name, now: WallClock.now())
    let own = try authority.servingCertificate(
      for: ["localhost"], lifetime: .seconds(600), now: WallClock.now())
    // The key first, and both at last: in between they do not fit, and nothing is taken up.
    try put(directory + "/server.key", own.key)
    try put(directory + "/server.crt", own.chain)
  }

  private func settings(_ plane: Plane, trusting name: String) -> ChannelSettings {
    var settings = plane.settings()
    settings.roots = .file("\(plane.directory)/\(name)/ca.crt")
    return settings
  }

  @Test func `changes under open streams, which go on, and new ones see the new one`() async throws
  {
    var options = Plane.Options()
    options.hasServingFiles = true
    options.prepare = { try Self.show("first", in: $0) }
    try await Plane.run(options) { plane in
      let settings = settings(plane, trusting: "first")
      try await DiscoveryStream.open(settings) { stream throws(ControlError) in
        try await stream.send(Ask.everything())
        _ = try await stream.take()
        await rotate(plane)
        // The stream of before is told of a change all the same.
        await change(plane)
        #expect(try await stream.take().names == ["Kubernetes//Pod/shop/late"])
      }
      #expect(await openStream(settings)?.code == .unavailable)
    }
  }

  private func rotate(_ plane: Plane) async {
    do {
      try Self.show("second", in: plane.directory)
      try await waitFor { await openStream(settings(plane, trusting: "second")) == nil }
    } catch {
      Issue.record("not rotated: \(error)")
    }
  }

  private func change(_ plane: Plane) async {
    do {
      let late = Plane.Pod("late", node: "b", account: "late")
      try await plane.change([web, Plane.Pod("db", node: "b", account: "db"), late])
    } catch {
      Issue.record("the change was not served: \(error)")
    }
  }

  @Test func `that does not fit its key is not shown, the last good one stays`() async throws {
    var options = Plane.Options()
    options.hasServingFiles = true
    options.prepare = { try Self.show("first", in: $0) }
    try await Plane.run(options) { plane in
      let before = try File.readText(plane.directory + "/server.crt")
      try Self.show("second", in: plane.directory)
      try put(plane.directory + "/server.crt", before)
      try await waitFor {
        await plane.core.status().problems.contains { $0.contains("serving certificate") }
      }
      #expect(await openStream(settings(plane, trusting: "first")) == nil)
    }
  }
}
