import IstioAPI
import MeshModel
import SwiftProtobuf
import Testing
import TestSupport

@testable import XDS

struct HostileResponseTests {
  private let web = Workload.pod("web", address: "10.0.0.7")
  private let policy = AuthorizationPolicy.denyAll("p")

  /// A client that knows one workload and one policy.
  private func client() throws -> DiscoveryClient {
    var client = DiscoveryClient(node: nodeOne)
    _ = client.receive(response([try envelope(.workload(web))]))
    _ = client.receive(response([try envelope(.policy(policy))], type: .authorization))
    return client
  }

  /// Feeds one resource that must not be taken, and expects everything else as before.
  private func reason(
    _ resource: DiscoveryResource, type: ResourceType = .address
  ) throws -> Rejection? {
    var client = try client()
    let before = client.model
    let update = client.receive(response([resource], type: type))
    #expect(update.change.isEmpty && client.model == before)
    #expect(update.reply?.errorDetail.code == 3)
    #expect(update.rejectedCount == 1 && client.rejectedResources == update.rejected)
    return update.rejected.first?.reason
  }

  @Test func `bytes that are no message are refused`() throws {
    #expect(try reason(envelope(name: web.uid, bytes: [0xff])) == .undecodable)
    #expect(try reason(envelope(name: web.uid, bytes: [0x0a, 0x7f, 1])) == .undecodable)
  }

  @Test(arguments: [AuthorizationPolicy.Scope.global, .namespace])
  func `a new policy that cannot be read denies where it applies until it can`(
    scope: AuthorizationPolicy.Scope
  ) throws {
    var client = try client()
    let readable = AuthorizationPolicy(
      key: PolicyKey(namespace: web.namespace, name: "new"), scope: scope, action: .allow,
      rules: [.init()])
    var wire = Istio_Security_Authorization(readable)
    wire.rules[0].clauses = [.with { $0.matches = [.with { $0.sourceIps = [.init()] }] }]
    let bytes: [UInt8] = try wire.serializedBytes()
    let unreadable = envelope(name: "\(readable.key)", bytes: bytes, type: .authorization)
    let update = client.receive(response([unreadable], type: .authorization))
    #expect(update.rejectedCount == 1 && update.change.policies.count == 1)
    let (_, missing) = MeshIndex(client.model).policies(for: web)
    #expect(missing == [readable.key])

    let kept = try DiscoveryClient(node: client.node, restoring: client.snapshot()).model
    #expect(kept.policies[readable.key]?.action == .deny, "also after a restart")

    _ = client.receive(response([try envelope(.policy(readable))], type: .authorization))
    #expect(client.model.policies[readable.key] == readable)
    _ = client.receive(response([unreadable], type: .authorization))
    #expect(client.model.policies[readable.key] == readable, "the last good one stays")
  }

  @Test func `a policy that cannot be read and is removed denies no more`() throws {
    var client = try client()
    let before = client.model.policies
    var wire = Istio_Security_Authorization(policy)
    wire.name = "new"
    wire.rules = [
      .with { $0.clauses = [.with { $0.matches = [.with { $0.sourceIps = [.init()] }] }] }
    ]
    let bytes: [UInt8] = try wire.serializedBytes()
    let name = "\(wire.namespace)/new"
    _ = client.receive(
      response([envelope(name: name, bytes: bytes, type: .authorization)], type: .authorization))
    #expect(client.model.policies.count == before.count + 1)
    var removal = response([], type: .authorization)
    removal.removedResources = [name]
    _ = client.receive(removal)
    #expect(client.model.policies == before)
  }

  @Test func `a message without content is refused`() throws {
    #expect(try reason(envelope(name: web.uid, bytes: [])) == .empty)
    #expect(try reason(.with { $0.name = web.uid }) == .empty)
  }

  @Test func `a resource of another type than its response is refused`() throws {
    #expect(
      try reason(envelope(.policy(policy)), type: .address)
        == .wrongType(ResourceType.authorization.typeURL))
    #expect(
      try reason(envelope(.workload(web)), type: .authorization)
        == .wrongType(ResourceType.address.typeURL))
  }

  @Test func `a resource under another name is refused, a removal could not find it`() throws {
    var resource = try envelope(.workload(web))
    resource.name = "k//Pod/shop/other"
    #expect(try reason(resource) == .wrongName(expected: web.uid))
  }

  @Test func `a name twice with different content is refused, whichever comes last`() throws {
    var other = web
    other.addresses = [ip("10.0.0.8")]
    var client = try client()
    for pair in [[web, other], [other, web]] {
      let update = client.receive(response(try pair.map { try envelope(.workload($0)) }))
      #expect(update.rejected.map(\.reason) == [.duplicateName])
      #expect(client.model.workloads[web.uid] == web)
    }
    let same = client.receive(response(try [other, other].map { try envelope(.workload($0)) }))
    #expect(same.rejectedCount == 0 && client.model.workloads[web.uid] == other)
  }

  @Test func `names, versions and resources have a size`() throws {
    let long = String(repeating: "n", count: Limit.nameBytes + 1)
    #expect(
      try reason(envelope(name: long, address(.with { $0.uid = long })))
        == .nameTooLong(bytes: long.utf8.count))
    var resource = try envelope(.workload(web))
    resource.version = String(repeating: "v", count: 257)
    #expect(try reason(resource) == .versionTooLong(bytes: 257))
    let huge = [UInt8](repeating: 0, count: Limit.resourceBytes + 1)
    #expect(
      try reason(envelope(name: web.uid, bytes: huge)) == .tooLarge(bytes: huge.count))
  }

  @Test func `of one response the good ones count, the bad ones are named`() throws {
    var client = try client()
    let new = Workload.pod("new", address: "10.0.0.9")
    let update = client.receive(
      response([
        try envelope(.workload(new)), envelope(name: web.uid, bytes: [0xff]),
        try envelope(
          name: "k//Pod/shop/odd",
          address(
            .with {
              $0.uid = "k//Pod/shop/odd"
              $0.namespace = "shop"
              $0.status = .UNRECOGNIZED(9)
            })),
      ]))
    #expect(update.change.workloads == [new])
    let status = try #require(update.reply?.errorDetail)
    #expect(status.message.contains("k//Pod/shop/odd: status is 9, which is not known"))
    #expect(status.message.contains("\(web.uid): is not a message of its type"))
    #expect(client.model.workloads[web.uid] == web)
  }

  @Test func `a resource that becomes good again is no longer among the rejected`() throws {
    var client = try client()
    _ = client.receive(response([envelope(name: web.uid, bytes: [0xff])]))
    #expect(client.rejectedResources.count == 1)
    _ = client.receive(response([try envelope(.workload(web))]))
    #expect(client.rejectedResources.isEmpty)
    _ = client.receive(response([envelope(name: web.uid, bytes: [0xff])]))
    _ = client.receive(response([], removing: [web.uid]))
    #expect(client.rejectedResources.isEmpty)
  }

  @Test func `ten thousand bad resources cost a bounded report`() throws {
    var client = try client()
    let bad = (0..<10_000).map { envelope(name: "bad/\($0)", bytes: [0xff]) }
    let update = client.receive(response(bad))
    #expect(update.rejectedCount == 10_000)
    #expect(update.rejected.count == Limit.rememberedRejections)
    #expect(client.rejectedResources.count == Limit.rememberedRejections)
    let message = try #require(update.reply?.errorDetail.message)
    #expect(message.utf8.count < Limit.refusalTextBytes + 64)
    #expect(message.hasSuffix("; and 9744 more"))
  }

  @Test func `endless pushes of the same names hold no more than the newest`() throws {
    var client = try client()
    for round in 0..<200 {
      let pushed = try (0..<20).map { number in
        try envelope(.workload(.pod("p\(number)", address: "10.0.\(round).\(number)")))
      }
      _ = client.receive(response(pushed, nonce: "\(round)"))
    }
    #expect(client.model.workloads.count == 21)
    #expect(client.addresses.known.count == 21)
    #expect(client.addresses.bytes < 21 * 200)
  }

  @Test func `a client that is full takes no new names, and changes of old ones`() {
    var holding = Holding()
    let large = Limit.heldBytes / 2
    holding.hold("a", .init(kind: .workload, version: "", bytes: large))
    holding.hold("b", .init(kind: .workload, version: "", bytes: large))
    #expect(!holding.hasRoom(for: "c", bytes: 1))
    #expect(holding.hasRoom(for: "a", bytes: large) && !holding.hasRoom(for: "a", bytes: large + 1))
    #expect(holding.forget("b") != nil && holding.hasRoom(for: "c", bytes: large))
  }

  @Test(arguments: UInt64(0)..<300)
  func `bytes that were tampered with never reach the model unnoticed or stop the client`(
    seed: UInt64
  ) throws {
    var generator = SeededGenerator(seed: seed)
    var client = try client()
    let workload = generator.workload(uid: "k//Pod/a/p")
    var bytes = try MeshResource.workload(workload).encoded()
    for _ in 0..<(1 + generator.below(4)) {
      bytes[generator.below(bytes.count)] = UInt8(truncatingIfNeeded: generator.next())
    }
    let update = client.receive(response([envelope(name: workload.uid, bytes: bytes)]))
    #expect(update.change.workloads.count + update.rejectedCount == 1)
    #expect(client.model.workloads[web.uid] == web)
    #expect(client.model.policies.count == 1)
  }
}
