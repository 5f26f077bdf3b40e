import IstioAPI
import MeshModel
import Testing
import TestSupport

@testable import XDS

struct SnapshotTests {
  private func client(seed: UInt64) throws -> DiscoveryClient {
    var generator = SeededGenerator(seed: seed)
    var model = Model()
    for _ in 0..<20 { model = generator.changed(model) }
    var client = DiscoveryClient(node: nodeOne)
    let addresses =
      try model.workloads.values.map { try envelope(.workload($0)) }
      + model.services.values.map { try envelope(.service($0)) }
    _ = client.receive(response(addresses))
    _ = client.receive(
      response(try model.policies.values.map { try envelope(.policy($0)) }, type: .authorization))
    return client
  }

  @Test(arguments: UInt64(0)..<20)
  func `a client that was kept on disk knows what it knew and claims it`(seed: UInt64) throws {
    var old = try client(seed: seed)
    var new = try DiscoveryClient(node: nodeOne, restoring: old.snapshot())
    #expect(new.model.contents == old.model.contents)
    #expect(new.connect() == old.connect())
    #expect(!new.isComplete)
  }

  @Test func `a version that the server gave is kept, not made anew`() throws {
    var client = DiscoveryClient(node: nodeOne)
    var resource = try envelope(.workload(.pod("web", address: "10.0.0.7")))
    resource.version = "of istiod"
    _ = client.receive(response([resource]))
    var restored = try DiscoveryClient(node: nodeOne, restoring: client.snapshot())
    #expect(
      restored.connect().first?.initialResourceVersions.values.sorted() == ["of istiod"])
  }

  @Test func `a snapshot that was cut off or changed is not used`() throws {
    let snapshot = try client(seed: 3).snapshot()
    var generator = SeededGenerator(seed: 1)
    for count in [0, 5, 40, snapshot.count / 2, snapshot.count - 1] {
      #expect(throws: SnapshotError.self) {
        try DiscoveryClient(node: nodeOne, restoring: Array(snapshot.prefix(count)))
      }
    }
    for _ in 0..<200 {
      var damaged = snapshot
      damaged[generator.below(damaged.count)] ^= UInt8(1 << generator.below(8))
      #expect(throws: SnapshotError.self) {
        try DiscoveryClient(node: nodeOne, restoring: damaged)
      }
    }
    #expect(throws: SnapshotError.damaged) {
      try DiscoveryClient(node: nodeOne, restoring: snapshot + [0])
    }
    #expect(throws: SnapshotError.otherFormat) {
      try DiscoveryClient(node: nodeOne, restoring: Array("skein discovery snapshot 0\n".utf8))
    }
  }
}
