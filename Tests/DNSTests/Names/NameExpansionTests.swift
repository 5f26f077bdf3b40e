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

  @Test func `a wildcard takes the place of leading labels, one at a time`() {
    #expect(NameExpansion.wildcards(of: "a.b.c") == ["*.b.c", "*.c"])
    #expect(NameExpansion.wildcards(of: "a").isEmpty)
  }

  @Test func `a name of the longest kind costs a bounded number of look-ups`() {
    let longest = Array(repeating: "a", count: Limit.labels).joined(separator: ".")
    let expansion = NameExpansion(longest, clientNamespace: "a", clusterDomain: "a")
    let count = expansion.aliases.reduce(0) { $0 + 1 + NameExpansion.wildcards(of: $1.host).count }
    #expect(count <= 200)
  }
}
