import IstioAPI
import MeshModel
import Testing
import TestSupport

@testable import XDS

struct RoundTripTests {
  @Test(arguments: UInt64(0)..<200)
  func `whatever the mesh holds survives the wire`(seed: UInt64) throws {
    var generator = SeededGenerator(seed: seed)
    let workload = generator.workload(uid: "k//Pod/a/\(seed)")
    let service = generator.service(key: generator.serviceKey())
    let policy = generator.policy(key: PolicyKey(namespace: "a", name: "p"))
    for content in [MeshResource.workload(workload), .service(service), .policy(policy)] {
      #expect(try MeshResource(envelope(content), as: content.type) == content)
    }
  }

  @Test(arguments: UInt64(0)..<50)
  func `equal resources have equal bytes and versions, whatever the order of their maps`(
    seed: UInt64
  ) throws {
    var generator = SeededGenerator(seed: seed)
    var one = generator.workload(uid: "k//Pod/a/p")
    var two = one
    one.services = [:]
    two.services = [:]
    let keys = (0..<20).map { ServiceKey(namespace: "a", hostname: "s\($0)") }
    for key in keys { one.services[key] = [] }
    for key in keys.shuffled(using: &generator) { two.services[key] = [] }
    #expect(try MeshResource.workload(one).encoded() == MeshResource.workload(two).encoded())
    #expect(
      try envelope(.workload(one)).version == envelope(.workload(two)).version)
  }

  @Test func `the hash is XXH64, so that versions are the same everywhere`() {
    func hash(_ text: String) -> UInt64 { contentHash(Array(text.utf8).span) }
    #expect(hash("") == 0xef46_db37_51d8_e999)
    #expect(hash("a") == 0xd24e_c4f1_a98c_6e5b)
    #expect(hash("abc") == 0x44bc_2cf5_ad77_0999)
    #expect(hash("Nobody inspects the spammish repetition") == 0xfbce_a83c_8a37_8bf1)
    #expect(contentVersion([UInt8]().span) == "ef46db3751d8e999")
  }
}
