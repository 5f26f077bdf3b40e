import MeshModel
import Testing

@testable import ControlPlane

@Suite struct `Each source has its share` {
  private let start = Instant(nanoseconds: 0)

  @Test func `and nobody takes another's`() {
    var table = AllowanceTable<Int>(Allowance.Rate(perSecond: 1, burst: 2), limit: 10)
    let taken = [1, 1, 1, 1, 2].map { table.take($0, at: start) }
    #expect(taken == [true, true, false, false, true])
    let later = table.take(1, at: start + .seconds(1))
    #expect(later)
  }

  @Test func `what came to something is given back`() {
    var table = AllowanceTable<Int>(Allowance.Rate(perSecond: 1, burst: 1), limit: 10)
    let taken = (0..<100).map { _ in
      defer { table.giveBack(1) }
      return table.take(1, at: start)
    }
    #expect(!taken.contains(false))
    let last = (0..<2).map { _ in table.take(1, at: start) }
    #expect(last == [true, false])
  }

  @Test func `those beyond the limit have one together, until others were quiet`() {
    var table = AllowanceTable<Int>(Allowance.Rate(perSecond: 1, burst: 1), limit: 3)
    let first = [0, 1, 2, 4, 5].map { table.take($0, at: start) }
    #expect(first == [true, true, true, true, false])
    #expect(table.count == 3)
    // All three are whole again by now, and forgotten.
    let later = [5, 6].map { table.take($0, at: start + .seconds(2)) }
    #expect(later == [true, true])
    #expect(table.count == 2)
  }

  struct Row: CustomTestStringConvertible, Sendable {
    var testDescription: String
    var one: String
    var other: String
    var isSame: Bool
  }

  @Test(arguments: [
    Row(
      testDescription: "another port is the same", one: "ipv4:10.0.0.7:1",
      other: "ipv4:10.0.0.7:2", isSame: true),
    Row(
      testDescription: "another address is not", one: "ipv4:10.0.0.7:1", other: "ipv4:10.0.0.8:1",
      isSame: false),
    Row(
      testDescription: "addresses of one IPv6 network are the same", one: "ipv6:[fd00::1]:1",
      other: "ipv6:[fd00::ffff:2]:1", isSame: true),
    Row(
      testDescription: "those of two are not", one: "ipv6:[fd00:0:0:1::1]:1",
      other: "ipv6:[fd00:0:0:2::1]:1", isSame: false),
    Row(
      testDescription: "IPv4 in IPv6 is IPv4", one: "ipv6:[::ffff:10.0.0.7]:1",
      other: "ipv4:10.0.0.7:1", isSame: true),
    Row(
      testDescription: "and not one network", one: "ipv6:[::ffff:10.0.0.7]:1",
      other: "ipv6:[::ffff:10.0.0.8]:1", isSame: false),
    Row(testDescription: "no address at all", one: "unix:a", other: "unix:b", isSame: true),
  ])
  func `by where it calls from`(row: Row) {
    #expect((Source(row.one) == Source(row.other)) == row.isSame)
  }

  @Test func `of certificates a node has more than a workload, and no node another's`() {
    let allowance = CertificateAllowance()
    func taken(_ role: Caller.Role) -> Int {
      let caller = Caller(role: role, proof: .oidc)
      return (0..<1_500).count { _ in allowance.take(caller, at: start) }
    }
    let web = SPIFFEID(trustDomain: "cluster.local", namespace: "shop", serviceAccount: "web")
    #expect(taken(.workload(web)) == 50)
    #expect(taken(.node("a")) == 1_000)
    // Of the 2 000 that all have together.
    #expect(taken(.node("b")) == 950)
  }
}
