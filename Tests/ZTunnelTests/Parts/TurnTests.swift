import Testing

@testable import ZTunnel

@Suite struct `Turns among endpoints` {
  @Test func `go on by one for each destination, whatever is dialled between`() {
    var turns = Turns(first: .max)
    var seen: [String: [UInt64]] = [:]
    for _ in 0..<6 {
      for destination in ["page", "details", "reviews"] {
        seen[destination, default: []].append(turns.take(destination) % 3)
      }
    }
    // Two of the three may share a counter, by chance.
    #expect(seen.values.contains { Set($0) == [0, 1, 2] })
  }

  @Test func `take no more memory for more destinations`() {
    var turns = Turns(first: 0)
    for destination in 0..<100_000 { _ = turns.take(destination) }
    #expect(turns.take("one more") > 0)
  }
}
