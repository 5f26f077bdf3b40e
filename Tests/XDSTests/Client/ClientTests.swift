import IstioAPI
import MeshModel
import SwiftProtobuf
import Testing
import TestSupport

@testable import XDS

struct ClientTests {
  private let web = Workload.pod("web", address: "10.0.0.7", serving: [.web])
  private let service = Service.web(at: "10.96.0.1")

  private func fed(
    _ contents: [MeshResource], onDemand: Bool = false
  ) throws -> DiscoveryClient {
    var client = DiscoveryClient(node: nodeOne, onDemand: onDemand)
    _ = client.connect()
    for type in ResourceType.allCases {
      let resources = try contents.filter { $0.type == type }.map { try envelope($0) }
      _ = client.receive(response(resources, type: type))
    }
    return client
  }

  // MARK: Requests

  @Test func `a stream begins with one request a type, each with the node`() {
    var client = DiscoveryClient(node: nodeOne)
    let requests = client.connect()
    #expect(requests.map(\.typeURL) == ResourceType.allCases.map(\.typeURL))
    for request in requests {
      #expect(
        request.node.id == "ztunnel~10.0.0.9~agent-1.istio-system~istio-system.svc.cluster.local")
      #expect(request.node.metadata.fields["NODE_NAME"]?.stringValue == "one")
      #expect(request.node.metadata.fields["NETWORK"] == nil)
      #expect(request.resourceNamesSubscribe.isEmpty && request.resourceNamesUnsubscribe.isEmpty)
      #expect(request.initialResourceVersions.isEmpty && request.responseNonce.isEmpty)
    }
  }

  @Test func `what is good is acknowledged by the nonce alone`() throws {
    var client = DiscoveryClient(node: nodeOne)
    let update = client.receive(response([try envelope(.workload(web))], nonce: "7"))
    #expect(update.change.workloads == [web])
    let reply = try #require(update.reply)
    #expect(reply.typeURL == ResourceType.address.typeURL)
    #expect(reply.responseNonce == "7" && !reply.hasErrorDetail && !reply.hasNode)
  }

  @Test func `a type that was not asked for is acknowledged and not looked at`() throws {
    var client = DiscoveryClient(node: nodeOne)
    var other = response([envelope(name: "x", bytes: [0xff])], nonce: "7")
    other.typeURL = "type.googleapis.com/envoy.config.cluster.v3.Cluster"
    let update = client.receive(other)
    #expect(update.isOfUnknownType && update.change.isEmpty)
    #expect(update.reply?.responseNonce == "7" && update.reply?.hasErrorDetail == false)
    #expect(update.reply?.typeURL == other.typeURL)
  }

  @Test func `a client is complete once every type was answered, if only with nothing`() {
    var client = DiscoveryClient(node: nodeOne)
    _ = client.connect()
    #expect(!client.isComplete)
    _ = client.receive(response([], type: .authorization))
    #expect(!client.isComplete)
    _ = client.receive(response([]))
    #expect(client.isComplete)
    _ = client.connect()
    #expect(client.isComplete)
  }

  // MARK: Changes

  @Test func `a resource that is sent again unchanged is no change`() throws {
    var client = try fed([.workload(web), .service(service)])
    let generation = client.model.generation
    let update = client.receive(response([try envelope(.workload(web))]))
    #expect(update.change.isEmpty && client.model.generation == generation)
  }

  @Test func `a removal finds workloads, services and policies, and nothing else`() throws {
    var client = try fed([
      .workload(web), .service(service), .policy(.denyAll("p")),
    ])
    let update = client.receive(
      response([], removing: ["k//Pod/shop/gone", "/10.0.0.7", "\(ServiceKey.web)", web.uid]))
    #expect(update.change.removedWorkloads == [web.uid])
    #expect(update.change.removedServices == [.web])
    #expect(update.rejectedCount == 0)
    #expect(client.model.policies.count == 1)
    let second = client.receive(response([], removing: ["shop/p"], type: .authorization))
    #expect(second.change.removedPolicies == [PolicyKey(namespace: "shop", name: "p")])
    #expect(client.model.contents == Model())
  }

  @Test func `a name that changes from a workload to a service is both removed and added`() throws {
    var workload = web
    workload.uid = "\(ServiceKey.web)"
    var client = try fed([.workload(workload)])
    let update = client.receive(response([try envelope(.service(service))]))
    #expect(update.change.removedWorkloads == [workload.uid])
    #expect(update.change.services == [service])
    #expect(client.model.contents == Model.holding([], [service]).contents)
  }

  @Test func `the changes add up to the model`() throws {
    var model = Model()
    var client = DiscoveryClient(node: nodeOne)
    var generator = SeededGenerator(seed: 1)
    var truth = Model()
    for _ in 0..<50 {
      let next = generator.changed(truth)
      for type in ResourceType.allCases {
        let update = client.receive(try wholeDifference(truth, next, type))
        model = model.applying(update.change)
      }
      truth = next
      #expect(model == client.model)
      #expect(model.contents == truth.contents)
    }
  }

  private func wholeDifference(
    _ old: Model, _ new: Model, _ type: ResourceType
  ) throws -> DeltaDiscoveryResponse {
    let change = old.change(to: new)
    switch type {
    case .address:
      return response(
        try change.workloads.map { try envelope(.workload($0)) }
          + change.services.map { try envelope(.service($0)) },
        removing: change.removedWorkloads + change.removedServices.map(\.description))
    case .authorization:
      return response(
        try change.policies.map { try envelope(.policy($0)) },
        removing: change.removedPolicies.map(\.description), type: .authorization)
    }
  }

  // MARK: Reconnecting

  @Test func `a new stream claims what is known, with the versions of the last good ones`() throws {
    var client = try fed([.workload(web), .service(service), .policy(.denyAll("p"))])
    var bad = try envelope(.workload(web))
    bad.version = "newer"
    bad.resource.value = wireBytes([0xff])
    _ = client.receive(response([bad, envelope(name: "never/good", bytes: [0xff])]))
    let requests = client.connect()
    #expect(
      requests.first?.initialResourceVersions == [
        web.uid: try envelope(.workload(web)).version,
        "\(ServiceKey.web)": try envelope(.service(service)).version,
      ])
    #expect(requests.last?.initialResourceVersions.keys.sorted() == ["shop/p"])
    #expect(client.model.workloads[web.uid] == web)
    #expect(client.unconfirmedCount == 0)
  }

  @Test func `the claims of a large mesh stay below what a server accepts`() throws {
    var client = DiscoveryClient(node: nodeOne)
    let padding = String(repeating: "n", count: 400)
    let resources = try (0..<9_000).map { number in
      try envelope(
        .workload(Workload(uid: "k//Pod/\(padding)/\(number)", name: "", namespace: "n")))
    }
    _ = client.receive(response(resources))
    let request = try #require(client.connect().first)
    let bytes: [UInt8] = try request.serializedBytes()
    #expect(bytes.count < 4 << 20)
    #expect(request.initialResourceVersions.count > 7_000)
    #expect(client.unconfirmedCount == 9_000 - request.initialResourceVersions.count)
    #expect(client.unconfirmedCount > 0)
  }

  @Test func `after a refusal for its size a stream claims nothing, and what is not sent goes`()
    throws
  {
    let other = Workload.pod("other", address: "10.0.0.8")
    var client = try fed([.workload(web), .workload(other), .policy(.denyAll("p"))])
    let claims = client.connect(claiming: .nothing).map(\.initialResourceVersions)
    #expect(claims == [[:], [:]])
    #expect(client.unconfirmedCount == 3)
    #expect(client.model.workloads.count == 2)
    _ = client.receive(response([try envelope(.workload(web))]))
    _ = client.receive(
      response(
        [envelope(name: "shop/p", bytes: [0xff], type: .authorization)], type: .authorization))
    #expect(client.unconfirmedCount == 1)
    let update = client.dropUnconfirmed()
    #expect(update.change.removedWorkloads == [other.uid] && update.reply == nil)
    #expect(client.model.contents == Model.holding([web], [], [.denyAll("p")]).contents)
    #expect(client.dropUnconfirmed().change.isEmpty)
  }

  // MARK: On demand

  @Test func `on demand, nothing is asked for at first and policies come whole`() {
    var client = DiscoveryClient(node: nodeOne, onDemand: true)
    let requests = client.connect()
    #expect(requests.first?.resourceNamesSubscribe == ["*"])
    #expect(requests.first?.resourceNamesUnsubscribe == ["*"])
    #expect(requests.last?.resourceNamesSubscribe == [])
    _ = client.receive(response([], type: .authorization))
    #expect(client.isComplete)
  }

  @Test func `a name is asked for once, and answered by name, by alias or by its absence`() throws {
    var client = DiscoveryClient(node: nodeOne, onDemand: true)
    _ = client.connect()
    let names = ["/10.0.0.7", "\(ServiceKey.web)", "/10.0.0.99"]
    let asked = client.ask(for: names)
    let request = try #require(asked)
    #expect(request.resourceNamesSubscribe == names && !request.hasNode)
    #expect(client.ask(for: names) == nil)
    #expect(client.receive(response([try envelope(.workload(web))])).answered == ["/10.0.0.7"])
    #expect(
      client.receive(response([try envelope(.service(service))], removing: ["/10.0.0.99"])).answered
        .sorted() == ["/10.0.0.99", "\(ServiceKey.web)"])
    #expect(client.receive(response([try envelope(.workload(web))])).answered.isEmpty)
    #expect(
      client.connect().first?.resourceNamesSubscribe == ["*"] + names.sorted())
  }

  @Test func `names that nobody can have are not asked for`() {
    var client = DiscoveryClient(node: nodeOne, onDemand: true)
    #expect(client.ask(for: ["", "*", String(repeating: "x", count: 3_000)]) == nil)
    var long = client
    let names = (0..<3_000).map { "n/\(String(repeating: "h", count: 1_000))\($0)" }
    _ = long.ask(for: names)
    #expect((long.connect().first?.resourceNamesSubscribe.count ?? 0) < 2_200)
    #expect(
      client.ask(for: (0..<30_000).map { "n/\($0)" })?.resourceNamesSubscribe.count
        == Limit.subscriptions)
  }
}
