import IstioAPI
import MeshModel
import SwiftProtobuf
import Testing

@testable import XDS

struct ServerTests {
  private let web = Workload.pod("web", address: "10.0.0.7", serving: [.web])
  private let service = Service.web(at: "10.96.0.1")
  private var model: Model { .holding([web], [service], [.denyAll("p")]) }

  // MARK: Beginnings

  @Test func `the first request says who asks`() throws {
    var server = DiscoveryServer(ResourceSet(model))
    var request = DeltaDiscoveryRequest.everything()
    request.clearNode()
    #expect(throws: StreamRefusal.missingNode) { try server.receive(request) }
    request.node.id = "sidecar~10.0.0.9~a.b~c"
    #expect(throws: StreamRefusal.malformedNode("sidecar~10.0.0.9~a.b~c")) {
      try server.receive(request)
    }
    _ = try server.receive(.everything())
    #expect(server.node == nodeOne)
    _ = try server.receive(.with { $0.typeURL = ResourceType.authorization.typeURL })
  }

  @Test func `everything is answered with everything, each resource under its name`() throws {
    var server = DiscoveryServer(ResourceSet(model))
    let answer = try #require(try server.receive(.everything()).first)
    #expect(answer.names == [web.uid, "\(ServiceKey.web)"].sorted())
    #expect(answer.typeURL == ResourceType.address.typeURL && !answer.nonce.isEmpty)
    #expect(answer.resources.allSatisfy { $0.version.count == 16 })
    let policies = try server.receive(.everything(.authorization))
    #expect(policies.map(\.names) == [["shop/p"]])
  }

  @Test func `a mesh without resources is answered with none, so that the client is complete`()
    throws
  {
    var server = DiscoveryServer(ResourceSet(Model()))
    let answers = try server.receive(.everything())
    #expect(answers.count == 1 && answers.first?.resources.isEmpty == true)
  }

  @Test func `what a client claims is not sent again, and what is gone is said to be`() throws {
    var server = DiscoveryServer(ResourceSet(model))
    let version = try envelope(.workload(web)).version
    let answer = try #require(
      try server.receive(
        .everything(claiming: [web.uid: version, "\(ServiceKey.web)": "old", "k//Pod/a/b": "1"])
      ).first)
    #expect(answer.names == ["\(ServiceKey.web)"])
    #expect(answer.removedResources == ["k//Pod/a/b"])
  }

  @Test func `a type that is not served is counted, not answered`() throws {
    var server = DiscoveryServer(ResourceSet(model))
    var request = DeltaDiscoveryRequest.everything()
    request.typeURL = "type.googleapis.com/envoy.config.cluster.v3.Cluster"
    #expect(try server.receive(request).isEmpty)
    #expect(server.unknownTypeRequests == 1)
  }

  // MARK: Acknowledgements

  @Test func `of a type one response is on its way, later generations come together`() throws {
    var current = model
    var set = ResourceSet(current)
    var server = DiscoveryServer(set)
    let first = try #require(try server.receive(.everything()).first)
    for number in 1...50 {
      var next = current
      next.generation += 1
      var pod = Workload.pod("p\(number % 3)", address: "10.0.1.\(number)")
      pod.node = "one"
      next.workloads[pod.uid] = pod
      if number == 50 { next.workloads[web.uid] = nil }
      set = set.updated(to: next, from: current)
      current = next
      #expect(try server.update(to: set).isEmpty)
    }
    let second = try #require(try server.receive(first.acknowledged).first)
    #expect(second.names == (0..<3).map { "k//Pod/shop/p\($0)" })
    #expect(second.removedResources == [web.uid])
    #expect(try server.receive(second.acknowledged).isEmpty)
    let statistics = try #require(server.statistics(.address))
    #expect(statistics.responses == 2 && statistics.acknowledged == 2)
    #expect(statistics.generation == current.generation)
  }

  @Test func `a generation that does not touch a type needs no response to be reached`() throws {
    var server = DiscoveryServer(ResourceSet(Model()))
    let answer = try #require(try server.receive(.everything(.authorization)).first)
    _ = try server.receive(answer.acknowledged)
    let set = ResourceSet(Model())
    var next = DiscoveryServer(set)
    let first = try #require(try next.receive(.everything(.authorization)).first)
    _ = try next.receive(first.acknowledged)
    #expect(try next.update(to: set.updated(to: model.withoutPolicies, from: Model())).isEmpty)
    #expect(next.statistics(.authorization)?.generation == model.generation)
  }

  @Test func `a refusal is noted and nothing is sent again for it`() throws {
    var server = DiscoveryServer(ResourceSet(model))
    let first = try #require(try server.receive(.everything()).first)
    var refusal = first.acknowledged
    refusal.errorDetail.code = 3
    refusal.errorDetail.message = "web: no"
    #expect(try server.receive(refusal).isEmpty)
    let statistics = try #require(server.statistics(.address))
    #expect(statistics.refused == 1 && statistics.acknowledged == 0)
    #expect(statistics.lastRefusal == "web: no")
  }

  @Test func `a nonce that is not the newest acknowledges nothing, its names count`() throws {
    let set = ResourceSet(model)
    var server = DiscoveryServer(set)
    let first = try #require(try server.receive(.onDemand(["\(ServiceKey.web)"])).first)
    var stale = DeltaDiscoveryRequest.asking(for: ["/10.0.0.99"])
    stale.responseNonce = "other"
    #expect(try server.receive(stale).isEmpty)
    #expect(server.isWaiting(.address) && server.statistics(.address)?.stale == 1)
    let second = try #require(try server.receive(first.acknowledged).first)
    #expect(second.removedResources == ["/10.0.0.99"])
  }

  @Test func `a client that stops acknowledging costs nothing and must start again`() throws {
    var set = ResourceSet(model)
    var server = DiscoveryServer(set)
    let first = try #require(try server.receive(.everything()).first)
    for round in 0..<30 {
      set = set.updated(with: .renewing(1_000, round: round))
      #expect(try server.update(to: set).isEmpty)
    }
    #expect(throws: StreamRefusal.behind) { try server.receive(first.acknowledged) }
  }

  @Test func `a set of another origin ends the stream instead of mixing two histories`() throws {
    var server = DiscoveryServer(ResourceSet(model))
    _ = try server.receive(.everything())
    #expect(throws: StreamRefusal.behind) { try server.update(to: ResourceSet(model)) }
  }

  // MARK: Size

  @Test func `a large answer comes in parts, each acknowledged before the next`() throws {
    let pods = (0..<500).map { Workload.pod("p\($0)", address: "10.0.\($0 / 250).\($0 % 250)") }
    var server = DiscoveryServer(ResourceSet(.holding(pods)), responseBytes: 8_192)
    var seen: Set<String> = []
    var answer = try server.receive(.everything()).first
    var parts = 0
    while let part = answer {
      #expect(part.encodedBytes <= 8_192)
      #expect(seen.isDisjoint(with: part.names))
      seen.formUnion(part.names)
      parts += 1
      #expect(part.systemVersionInfo.hasSuffix(moreFollows) == (seen.count < 500))
      answer = try server.receive(part.acknowledged).first
    }
    #expect(seen.count == 500 && parts > 10)
    #expect(server.statistics(.address)?.generation == 1)
  }

  @Test func `a client is complete only with the last part`() throws {
    let pods = (0..<20).map { Workload.pod("p\($0)", address: "10.0.0.\($0)") }
    var server = DiscoveryServer(ResourceSet(.holding(pods)), responseBytes: 1_000)
    var client = DiscoveryClient(node: nodeOne)
    var queue = client.connect()
    var partial = 0
    while !queue.isEmpty {
      for answer in try server.receive(queue.removeFirst()) {
        let update = client.receive(answer)
        if update.isPartial {
          partial += 1
          #expect(!client.isComplete)
        }
        queue.append(try #require(update.reply))
      }
    }
    #expect(partial > 2 && client.isComplete && client.model.workloads.count == 20)
  }

  @Test func `too many or too long names end the stream`() throws {
    var server = DiscoveryServer(ResourceSet(model))
    _ = try server.receive(.onDemand())
    #expect(throws: StreamRefusal.nameTooLong(bytes: 3_000)) {
      try server.receive(.asking(for: [String(repeating: "n", count: 3_000)]))
    }
    #expect(throws: StreamRefusal.tooManyNames) {
      try server.receive(.asking(for: (0...Limit.subscriptions).map { "n/\($0)" }))
    }
  }
}

extension Model {
  fileprivate var withoutPolicies: Model {
    var model = self
    model.policies = [:]
    return model
  }
}
