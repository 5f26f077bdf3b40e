import IstioAPI
import MeshModel
import SwiftProtobuf
import Testing
import TestSupport

@testable import XDS

/// A client and a server with everything between them that can happen to a stream.
private struct Pair {
  var generator: SeededGenerator
  var model = Model()
  var set: ResourceSet
  var server: DiscoveryServer
  var client: DiscoveryClient
  /// On their way, in order.
  var requests: [DeltaDiscoveryRequest] = []
  var responses: [DeltaDiscoveryResponse] = []

  init(seed: UInt64, onDemand: Bool = false) {
    generator = SeededGenerator(seed: seed)
    set = ResourceSet(model)
    server = DiscoveryServer(set, responseBytes: 2_000)
    client = DiscoveryClient(node: nodeOne, onDemand: onDemand)
    reconnect()
  }

  mutating func reconnect() {
    responses = []
    server = DiscoveryServer(set, responseBytes: 2_000)
    requests = client.connect(claiming: generator.chance(20) ? .nothing : .known)
  }

  mutating func change() throws {
    let next = generator.changed(model)
    set = set.updated(to: next, from: model)
    model = next
    responses += try server.update(to: set)
  }

  mutating func carry() throws {
    if !requests.isEmpty, generator.chance(50) || responses.isEmpty {
      responses += try server.receive(requests.removeFirst())
    } else if !responses.isEmpty {
      var response = responses.removeFirst()
      if generator.chance(15) { damage(&response) }
      if let reply = client.receive(response).reply { requests.append(reply) }
    }
  }

  /// What a server must never send: the client keeps its last good version and says so.
  private mutating func damage(_ response: inout DeltaDiscoveryResponse) {
    guard !response.resources.isEmpty else { return }
    let index = generator.below(response.resources.count)
    response.resources[index].version = "damaged"
    response.resources[index].resource.value = wireBytes([0xff])
  }

  mutating func settle() throws {
    while !requests.isEmpty || !responses.isEmpty {
      if !requests.isEmpty { responses += try server.receive(requests.removeFirst()) }
      if !responses.isEmpty, let reply = client.receive(responses.removeFirst()).reply {
        requests.append(reply)
      }
    }
  }
}

struct ConvergenceTests {
  @Test(arguments: UInt64(0)..<60)
  func `client and server agree after whatever happened to their streams`(seed: UInt64) throws {
    var pair = Pair(seed: seed)
    for _ in 0..<200 {
      switch pair.generator.below(10) {
      case 0...2: try pair.change()
      case 3 where pair.generator.chance(20): pair.reconnect()
      case 4 where pair.generator.chance(10):
        pair.client = try DiscoveryClient(node: nodeOne, restoring: pair.client.snapshot())
        pair.reconnect()
      default: try pair.carry()
      }
      #expect(pair.responses.count <= ResourceType.allCases.count)
    }
    // What was damaged on its way is sent again on the next stream, and by then all is told.
    pair.reconnect()
    try pair.settle()
    _ = pair.client.dropUnconfirmed()
    #expect(pair.client.model.contents == pair.model.contents)
    #expect(pair.client.isComplete && pair.client.rejectedResources.isEmpty)
    for type in ResourceType.allCases {
      #expect(pair.server.statistics(type)?.generation == pair.model.generation)
    }
  }

  @Test(arguments: UInt64(0)..<40)
  func `on demand, a client has the newest of all it asked for and nothing that is gone`(
    seed: UInt64
  ) throws {
    var pair = Pair(seed: seed, onDemand: true)
    for _ in 0..<150 {
      switch pair.generator.below(10) {
      case 0...2: try pair.change()
      case 3:
        let name = pair.generator.one(of: ["k//Pod/a/p1", "k//Pod/a/p2", "a/s1.svc", "b/s2.svc"])
        if let request = pair.client.ask(for: [name]) { pair.requests.append(request) }
      case 4 where pair.generator.chance(20): pair.reconnect()
      default: try pair.carry()
      }
    }
    pair.reconnect()
    try pair.settle()
    _ = pair.client.dropUnconfirmed()
    for (uid, workload) in pair.client.model.workloads {
      #expect(pair.model.workloads[uid] == workload)
    }
    for (key, service) in pair.client.model.services {
      #expect(pair.model.services[key] == service)
    }
    for name in pair.client.asked {
      #expect(pair.client.model.workloads[name] == pair.model.workloads[name])
      if let key = ServiceKey(resourceName: name) {
        #expect(pair.client.model.services[key] == pair.model.services[key])
        for (uid, workload) in pair.model.workloads where workload.services[key] != nil {
          #expect(pair.model.services[key] == nil || pair.client.model.workloads[uid] == workload)
        }
      }
    }
    #expect(pair.client.model.policies == pair.model.policies)
  }

  @Test func `a policy that was not taken is missing, and what names it denies`() throws {
    var web = Workload.pod("web", address: "10.0.0.7")
    web.authorizationPolicies = [PolicyKey(namespace: "shop", name: "p")]
    var client = DiscoveryClient(node: nodeOne)
    _ = client.receive(response([try envelope(.workload(web))]))
    let facts = ConnectionFacts(
      source: SPIFFEID(trustDomain: "cluster.local", namespace: "shop", serviceAccount: "x"),
      sourceIP: ip("10.0.0.8"), destinationIP: ip("10.0.0.7"), destinationPort: 80)
    func isAllowed() -> Bool {
      let index = MeshIndex(client.model)
      return facts.verdict(for: index.workload(uid: web.uid), in: index).isAllowed
    }
    // Not arrived yet.
    #expect(!isAllowed())
    let bad = envelope(name: "shop/p", bytes: [0xff], type: .authorization)
    #expect(client.receive(response([bad], type: .authorization)).rejectedCount == 1)
    #expect(!isAllowed())
    var policy = AuthorizationPolicy.denyAll("p")
    policy.action = .allow
    _ = client.receive(response([try envelope(.policy(policy))], type: .authorization))
    #expect(isAllowed())
    // The last good version stays in force.
    _ = client.receive(response([bad], type: .authorization))
    #expect(isAllowed())
  }
}
