import IstioAPI
import MeshModel
import Testing

@testable import XDS

struct OnDemandTests {
  private let web = Workload.pod("web", address: "10.0.0.7", serving: [.web])
  private let other = Workload.pod("other", address: "10.0.0.8")
  private let local = Workload.pod("local", address: "10.0.0.9", node: "one")
  private let service = Service.web(at: "10.96.0.1")
  private var model: Model { .holding([web, other, local], [service]) }

  /// A stream that has acknowledged its first answer, if there was one.
  private func stream(_ model: Model, _ names: [String] = []) throws -> DiscoveryServer {
    var server = DiscoveryServer(ResourceSet(model))
    var answers = try server.receive(.onDemand(names))
    while let answer = answers.first { answers = try server.receive(answer.acknowledged) }
    return server
  }

  @Test func `at first only the node's own workloads are sent`() throws {
    var server = DiscoveryServer(ResourceSet(model))
    #expect(try server.receive(.onDemand()).map(\.names) == [[local.uid]])
    var nothing = DiscoveryServer(ResourceSet(.holding([web], [service])))
    #expect(try nothing.receive(.onDemand()).isEmpty)
    #expect(nothing.isOnDemand(.address))
  }

  @Test(arguments: ["k//Pod/shop/other", "/10.0.0.8"])
  func `a workload is found by uid and by address`(name: String) throws {
    var server = try stream(model)
    #expect(try server.receive(.asking(for: [name])).map(\.names) == [[other.uid]])
  }

  @Test(arguments: ["shop/web.shop.svc.cluster.local", "/10.96.0.1"])
  func `a service comes with its workloads, by name and by address`(name: String) throws {
    var server = try stream(model)
    #expect(
      try server.receive(.asking(for: [name])).map(\.names)
        == [[web.uid, "\(ServiceKey.web)"].sorted()])
  }

  @Test func `a name that nobody has is answered as removed, and sent once somebody has it`() throws
  {
    let set = ResourceSet(model)
    var server = DiscoveryServer(set)
    let first = try #require(try server.receive(.onDemand(["/10.0.0.77"])).first)
    #expect(first.removedResources == ["/10.0.0.77"] && first.names == [local.uid])
    #expect(try server.receive(first.acknowledged).isEmpty)
    var next = model
    let late = Workload.pod("late", address: "10.0.0.77")
    next.workloads[late.uid] = late
    #expect(try server.update(to: set.updated(to: next, from: model)).map(\.names) == [[late.uid]])
  }

  @Test func `changes of what was not asked for are not sent`() throws {
    let set = ResourceSet(model)
    var server = DiscoveryServer(set)
    let first = try #require(try server.receive(.onDemand(["\(ServiceKey.web)"])).first)
    _ = try server.receive(first.acknowledged)
    var next = model
    next.workloads[other.uid]?.health = .unhealthy
    let second = set.updated(to: next, from: model)
    #expect(try server.update(to: second).isEmpty)
    #expect(server.statistics(.address)?.generation == next.generation)

    var third = next
    third.workloads[web.uid]?.health = .unhealthy
    let member = Workload.pod("member", address: "10.0.0.70", serving: [.web])
    third.workloads[member.uid] = member
    third.workloads[local.uid] = nil
    let update = try #require(try server.update(to: second.updated(to: third, from: next)).first)
    #expect(update.names == [member.uid, web.uid])
    #expect(update.removedResources == [local.uid])
  }

  @Test func `what is dropped is sent no more`() throws {
    let set = ResourceSet(model)
    var server = DiscoveryServer(set)
    let first = try #require(try server.receive(.onDemand(["\(ServiceKey.web)"])).first)
    _ = try server.receive(first.acknowledged)
    #expect(try server.receive(.asking(for: [], dropping: ["\(ServiceKey.web)"])).isEmpty)
    var next = model
    next.workloads[web.uid]?.health = .unhealthy
    next.services[.web]?.isCanonical = false
    #expect(try server.update(to: set.updated(to: next, from: model)).isEmpty)
  }

  @Test func `claimed names are names asked for`() throws {
    let set = ResourceSet(model)
    var server = DiscoveryServer(set)
    let version = try envelope(.workload(other)).version
    let first = try #require(
      try server.receive(
        .onDemand(claiming: [other.uid: version, "k//Pod/shop/gone": "1"])
      ).first)
    #expect(first.names == [local.uid] && first.removedResources == ["k//Pod/shop/gone"])
    _ = try server.receive(first.acknowledged)
    var next = model
    next.workloads[other.uid]?.health = .unhealthy
    #expect(try server.update(to: set.updated(to: next, from: model)).map(\.names) == [[other.uid]])
  }

  @Test func `everything can be asked for later, and given up again`() throws {
    let set = ResourceSet(model)
    var server = DiscoveryServer(set)
    let first = try #require(try server.receive(.onDemand(["/10.0.0.8"])).first)
    _ = try server.receive(first.acknowledged)
    let all = try #require(try server.receive(.asking(for: ["*"])).first)
    #expect(all.names.count == 4)
    _ = try server.receive(all.acknowledged)
    let after = try server.receive(.asking(for: [], dropping: ["*"]))
    #expect(after.map(\.names) == [[other.uid]])
    #expect(server.isOnDemand(.address))
  }
}
