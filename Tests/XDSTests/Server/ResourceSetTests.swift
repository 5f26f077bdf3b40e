import IstioAPI
import MeshModel
import SwiftProtobuf
import Testing
import TestSupport

@testable import XDS

struct ResourceSetTests {
  /// What a set sends, by name.
  private func sent(_ set: ResourceSet) -> [ResourceType: [String: String]] {
    Dictionary(
      uniqueKeysWithValues: ResourceType.allCases.map { type in
        (type, set.table(type).entries.mapValues(\.envelope.version))
      })
  }

  @Test(arguments: UInt64(0)..<30)
  func `a set made from its predecessor is the one made afresh`(seed: UInt64) {
    var generator = SeededGenerator(seed: seed)
    var model = Model()
    var set = ResourceSet(model)
    for _ in 0..<40 {
      let next = generator.changed(model)
      let change = generator.chance(20) ? next.wholeChange : model.change(to: next)
      set = set.updated(with: change)
      model = next
      let fresh = ResourceSet(model)
      #expect(sent(set) == sent(fresh))
      #expect(set.generation == model.generation)
      for type in ResourceType.allCases {
        let (table, expected) = (set.table(type), fresh.table(type))
        #expect(table.aliases.mapValues(Set.init) == expected.aliases.mapValues(Set.init))
        #expect(table.members == expected.members)
        #expect(table.residents == expected.residents)
        #expect(table.bytes == expected.bytes)
      }
    }
  }

  @Test func `a change that changes nothing is no change for a stream`() {
    let model = Model.holding([.pod("web", address: "10.0.0.7")])
    let set = ResourceSet(model)
    let next = set.updated(with: model.wholeChange)
    #expect(next.table(.address).changes(after: set.sequence) == [])
  }

  @Test func `addresses are aliases on their network, the host's are not`() throws {
    var web = Workload.pod("web", address: "10.0.0.7")
    web.network = "far"
    var host = Workload.pod("host", address: "10.0.0.8")
    host.isHostNetwork = true
    var service = Service.web(at: "10.96.0.1")
    if let block = CIDR("10.97.0.0/16") {
      service.virtualAddresses.append(VirtualAddress(network: "far", block: block))
    }
    let table = ResourceSet(.holding([web, host], [service])).table(.address)
    #expect(table.entries[web.uid]?.envelope.aliases == ["far/10.0.0.7"])
    #expect(table.entries[host.uid]?.envelope.aliases == [])
    #expect(
      table.entries["\(ServiceKey.web)"]?.envelope.aliases == ["/10.96.0.1", "far/10.97.0.0/16"])
  }

  @Test func `a policy that is too large is named, and what stands for it denies`() throws {
    var policy = AuthorizationPolicy(
      key: PolicyKey(namespace: "shop", name: "p"), scope: .namespace, action: .allow)
    var set = ResourceSet(.holding([], [], [policy]))
    var match = AuthorizationPolicy.Match()
    match.namespaces = [.exact(String(repeating: "n", count: Limit.resourceBytes))]
    policy.rules = [.init(clauses: [.init(matches: [match])])]
    var change = ModelChange(isFull: false, generation: 2)
    change.policies = [policy]
    set = set.updated(with: change)
    #expect(set.omitted.map(\.name) == ["shop/p"])
    let sent = try #require(set.table(.authorization).entries["shop/p"]).envelope.resource.value
    let standIn = try AuthorizationPolicy(Istio_Security_Authorization(serializedBytes: sent))
    #expect(standIn.action == .deny && standIn.rules == [.init()])
    change.policies = [.denyAll("p")]
    #expect(set.updated(with: change).omitted.isEmpty)
  }

  @Test func `a set remembers a bounded number of changes`() {
    var set = ResourceSet(.holding())
    let first = set.sequence
    for round in 0..<30 {
      set = set.updated(with: .renewing(1_000, round: round))
      #expect(set.table(.address).changes(after: set.sequence - 1)?.count == 1_000)
    }
    #expect(set.table(.address).changes(after: first) == nil)
    #expect(set.table(.address).changes(after: set.sequence - 5)?.count == 1_000)
  }

  @Test func `a few changes among 3 000 resources take a tenth of building them all, or less`() {
    var model = Model()
    for number in 0..<1_000 {
      let key = ServiceKey(namespace: "n", hostname: "s\(number)")
      model.services[key] = Service(key: key, name: "s\(number)")
      for replica in 0..<2 {
        let pod = Workload.pod(
          "p\(number)-\(replica)", address: "10.\(replica).\(number / 250).\(number % 250)",
          serving: [key])
        model.workloads[pod.uid] = pod
      }
    }
    let set = ResourceSet(model)
    let clock = ContinuousClock()
    let whole = (0..<3).map { _ in clock.measure { _ = ResourceSet(model) } }.min() ?? .zero
    var change = ModelChange(isFull: false, generation: 2)
    change.workloads = [.pod("p7-0", address: "10.9.9.9")]
    let best = (0..<20).map { _ in clock.measure { _ = set.updated(with: change) } }.min()
    // The best of several, so that what else the machine does matters little.
    #expect((best ?? whole) * 10 < whole, "\(String(describing: best)) of \(whole)")
  }
}
