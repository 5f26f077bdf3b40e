import MeshModel
import Testing

@Suite struct `An address or a name means one service to a client` {
  struct Row: CustomTestStringConvertible, Sendable {
    var says: String
    var ip: String
    var network = ""
    var namespace: String? = "shop"
    /// `namespace/name`, nil for none.
    var service: String?
    var testDescription: String { says }
  }

  static func service(
    _ name: String, in namespace: String = "shop", at blocks: String..., on network: String = "",
    host: String? = nil, isCanonical: Bool = true, isPrivate: Bool = false
  ) -> Service {
    var service = Service.named(name, in: namespace, ports: [80: 80])
    if let host { service.key.hostname = host }
    service.virtualAddresses = blocks.map { VirtualAddress(network: network, block: block($0)) }
    service.isCanonical = isCanonical
    service.visibility = isPrivate ? .ownNamespace : .everyone
    return service
  }

  static let index = MeshIndex(
    .holding(services: [
      service("exact", at: "10.0.0.1"),
      service("wide", at: "10.0.0.0/8"),
      service("narrow", in: "bank", at: "10.1.0.0/16"),
      service("bank-wide", in: "bank", at: "10.0.0.0/8"),
      service("six", at: "fd00::/16"),
      service("far", at: "10.0.0.1", on: "far"),
      service("private", in: "bank", at: "10.2.0.1", isPrivate: true),
      service("first", in: "a", at: "10.3.0.1", isCanonical: false),
      service("canonical", in: "z", at: "10.3.0.1"),
      service("plain-block", in: "a", at: "172.16.0.0/12", isCanonical: false),
      service("canonical-block", in: "z", at: "172.16.0.0/12"),
      service("api", in: "a", host: "api.example.com", isCanonical: false),
      service("api", in: "shop", host: "api.example.com", isCanonical: false),
      service("api", in: "z", host: "api.example.com"),
      service("hidden", in: "bank", host: "hidden.example.com", isPrivate: true),
      service("late", in: "b", host: "late.example.com", isCanonical: false),
      service("late", in: "c", host: "late.example.com", isCanonical: false),
    ]))

  @Test(arguments: [
    Row(says: "a single address before a block that holds it", ip: "10.0.0.1", service: "exact"),
    Row(
      says: "of blocks the client's namespace before a longer prefix", ip: "10.1.0.9",
      service: "wide"),
    Row(
      says: "else the longest prefix", ip: "10.1.0.9", namespace: "street", service: "narrow"),
    Row(says: "in one's own namespace too", ip: "10.1.0.9", namespace: "bank", service: "narrow"),
    Row(says: "a block of IPv6", ip: "fd00::7", service: "six"),
    Row(
      says: "another network has its own addresses", ip: "10.0.0.1", network: "far", service: "far"),
    Row(says: "and no others", ip: "10.1.0.9", network: "far"),
    Row(
      says: "what the namespace may not see does not count", ip: "10.2.0.1", service: "wide"),
    Row(says: "its own namespace sees it", ip: "10.2.0.1", namespace: "bank", service: "private"),
    Row(says: "without a client all is seen", ip: "10.2.0.1", namespace: nil, service: "private"),
    Row(says: "of equals the canonical one", ip: "10.3.0.1", service: "canonical"),
    Row(says: "the own one before the canonical", ip: "10.3.0.1", namespace: "a", service: "first"),
    Row(says: "of equal blocks the canonical one", ip: "172.20.0.1", service: "canonical-block"),
    Row(says: "an unknown address means nothing", ip: "192.0.2.1"),
  ])
  func `by address`(row: Row) {
    let found = Self.index.service(at: ip(row.ip), on: row.network, for: row.namespace)
    #expect(found?.name == row.service)
  }

  @Test(arguments: [
    ("api.example.com", "shop", "shop"), ("api.example.com", "street", "z"),
    ("hidden.example.com", "street", nil), ("hidden.example.com", "bank", "bank"),
    ("late.example.com", "street", "b"), ("nobody.example.com", "shop", nil),
  ])
  func `by host name`(host: String, client: String, owner: String?) {
    #expect(Self.index.service(host: host, for: client)?.key.namespace == owner)
  }

  @Test func `a preferred namespace comes after the canonical one`() {
    let found = Self.index.services(host: "late.example.com", for: "street", preferring: "c")
    #expect(found.map(\.key.namespace) == ["c", "b"])
    let api = Self.index.services(host: "api.example.com", for: "street", preferring: "shop")
    #expect(api.map(\.key.namespace) == ["z", "shop", "a"])
  }

  @Test func `a block that goes away is forgotten`() {
    var change = ModelChange(isFull: false, generation: 2)
    change.removedServices = [.named("narrow", in: "bank"), .named("wide")]
    let next = Self.index.applying(change)
    #expect(next.service(at: ip("10.1.0.9"))?.name == "bank-wide")
  }

  @Test func `a block written with host bits is the same block`() {
    let index = MeshIndex(.holding(services: [Self.service("s", at: "10.9.8.7/8")]))
    #expect(index.service(at: ip("10.1.2.3"))?.name == "s")
  }
}
