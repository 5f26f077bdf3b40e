import Testing

@testable import ZTunnel

@Suite struct `A new connection goes` {
  struct Row: CustomTestStringConvertible, Sendable {
    var says: String
    var weights: [Int]
    var limit: Int
    var chosen: Int?
    var testDescription: String { says }
  }

  static let rows = [
    Row(says: "nowhere else while all are alike", weights: [2, 2], limit: 2, chosen: nil),
    Row(says: "to the one that has least", weights: [3, 1, 2], limit: 3, chosen: 1),
    Row(says: "to the first of equals", weights: [3, 1, 1], limit: 3, chosen: 1),
    Row(says: "nowhere else for less than the slack", weights: [9, 6], limit: 9 - 4, chosen: nil),
    Row(says: "elsewhere for more than the slack", weights: [9, 4], limit: 9 - 4, chosen: 1),
    Row(says: "nowhere else where there is nobody", weights: [], limit: 5, chosen: nil),
  ]

  @Test(arguments: rows) func `to whom has less`(row: Row) {
    let chosen = Balance.lightest(
      Array(row.weights.indices), by: { row.weights[$0] }, than: row.limit)
    #expect(chosen == row.chosen)
  }
}
