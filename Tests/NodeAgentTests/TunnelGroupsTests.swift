import Testing

@testable import NodeAgent

@Suite struct `Control groups of ztunnels` {
  struct Row: Sendable {
    var numbers: Set<UInt64>
    var current: UInt64
    var forgotten: [UInt64]
  }

  static let limit = UInt64(Limit.earlierTunnelGroups)

  @Test(arguments: [
    Row(numbers: [], current: 7, forgotten: []),
    Row(numbers: [7], current: 7, forgotten: []),
    Row(numbers: [3, 5, 7], current: 7, forgotten: []),
    Row(numbers: Set(1...limit + 1), current: limit + 1, forgotten: []),
    Row(numbers: Set(1...limit + 3), current: limit + 3, forgotten: [1, 2]),
    Row(numbers: Set(1...limit + 2), current: 1, forgotten: [2]),
  ])
  func `are kept for the listeners they made, the oldest are forgotten`(row: Row) {
    #expect(outgrownGroups(of: row.numbers, current: row.current) == row.forgotten)
  }
}
