import Testing

@testable import DNS

@Suite struct `Names: what an asked name may stand for` {
  struct Row: CustomTestStringConvertible {
    var asked: String
    var hosts: [String]

    var testDescription: String { asked }
  }

  static let table = [
    Row(asked: "a", hosts: ["a", "a.shop.svc.d"]),
    Row(asked: "a.b", hosts: ["a.b", "a.b.svc.d", "a.b.shop.svc.d"]),
    Row(asked: "a.b.svc", hosts: ["a.b.svc", "a.b.svc.d", "a.b.svc.svc.d"]),
    Row(asked: "a.b.c", hosts: ["a.b.c", "a.b.c.svc.d"]),
    Row(asked: "p.a.b.svc", hosts: ["p.a.b.svc", "p.a.b.svc.d"]),
    Row(asked: "a.b.c.e", hosts: ["a.b.c.e"]),
    Row(
      asked: "x.y.svc.d",
      hosts: [
        "x.y.svc.d", "x.y", "x.y.svc.d", "x.y.shop.svc.d", "x.y.svc", "x.y.svc.d", "x.y.svc.svc.d",
      ]),
  ]

  @Test(arguments: table) func `are tried in Istio's order`(row: Row) {
    let expansion = NameExpansion(row.asked, clientNamespace: "shop", clusterDomain: "d")
    #expect(expansion.aliases.map(\.host) == row.hosts)
  }

  static let wildcards = [
    Row(asked: "a", hosts: []),
    Row(asked: "a.b", hosts: ["*.b"]),
    Row(asked: "a.b.c", hosts: ["*.b.c", "*.c"]),
    // A library appended a search domain.
    Row(
      asked: "a.b.c.shop.svc.d",
      hosts: [
        "*.b.c.shop.svc.d", "*.c.shop.svc.d", "*.shop.svc.d", "*.svc.d", "*.d", "*.b.c", "*.c",
        "*.b.c.shop", "*.c.shop", "*.shop", "*.b.c.shop.svc", "*.c.shop.svc", "*.shop.svc", "*.svc",
      ]),
    Row(asked: "a.b.d", hosts: ["*.b.d", "*.d", "*.b"]),
    // Perhaps a service or a pod of a service, of which the mesh knows nothing.
    Row(asked: "a.b.svc.d", hosts: ["*.b.svc.d", "*.svc.d", "*.d"]),
    Row(asked: "p.a.b.svc.d", hosts: ["*.a.b.svc.d", "*.b.svc.d", "*.svc.d", "*.d"]),
    Row(asked: "1-2-3-4.b.pod.d", hosts: ["*.b.pod.d", "*.pod.d", "*.d"]),
  ]

  @Test(arguments: wildcards) func `are below these wildcards`(row: Row) {
    let expansion = NameExpansion(row.asked, clientNamespace: "shop", clusterDomain: "d")
    #expect(expansion.wildcards == row.hosts)
  }

  @Test func `a wildcard takes the place of leading labels, one at a time`() {
    #expect(NameExpansion.wildcards(of: "a.b.c") == ["*.b.c", "*.c"])
    #expect(NameExpansion.wildcards(of: "a").isEmpty)
  }

  @Test func `a name of the longest kind costs a bounded number of look-ups`() {
    let longest = Array(repeating: "a", count: Limit.labels).joined(separator: ".")
    let expansion = NameExpansion(longest, clientNamespace: "a", clusterDomain: "a")
    #expect(expansion.aliases.count + expansion.wildcards.count <= 200)
  }
}
