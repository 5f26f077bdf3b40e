import AgentProtocol
import MeshModel
import Testing

@testable import ZTunnel

@Suite struct `An allowance` {
  @Test func `is so many in so much time`() {
    var allowance = Allowance(2, per: .seconds(1))
    func take(_ seconds: Int) -> Bool {
      allowance.take(at: Instant(nanoseconds: 5_000_000_000) + .seconds(seconds))
    }
    #expect([take(0), take(0), take(0)] == [true, true, false])
    #expect([take(1), take(1), take(1)] == [true, true, false])
    #expect(take(9))
  }
}

@Suite struct `Counters` {
  private func key(_ number: Int, _ reporter: Direction = .outbound) -> LabelKey {
    var key = LabelKey.overflow(reporter)
    key.destinationWorkload = "w\(number)"
    return key
  }

  @Test func `of one label set are one`() {
    var table = LabelTable()
    table.set(for: key(1)).opened += 2
    table.set(for: key(1)).opened += 3
    #expect(table.samples.map(\.opened) == [5])
  }

  @Test func `beyond the limit are counted without names`() {
    var table = LabelTable(limit: 2)
    for number in 0..<10 { table.set(for: key(number)).opened += 1 }
    #expect(table.samples.count == 3)
    let rest = table.samples.first { $0.destinationWorkload.isEmpty }
    #expect(rest?.opened == 8)
  }

  @Test func `that nobody uses any more make room for others, those in use do not`() {
    var table = LabelTable(limit: 3)
    for number in 0..<3 { table.set(for: key(number)).opened += 1 }
    table.set(for: key(0)).closed += 1
    table.set(for: key(1)).closed += 1
    // The first that finds no room ends the others' being recent; the next finds room.
    _ = table.set(for: key(3))
    _ = table.set(for: key(1))
    table.set(for: key(4)).opened += 1
    let names = Set(table.samples.map(\.destinationWorkload))
    #expect(names.isSuperset(of: ["w1", "w2", "w4"]), "\(names)")
    #expect(!names.contains("w0"))
  }

  @Test func `that wrap stop nothing`() {
    var first = LabelTable()
    var second = LabelTable()
    first.set(for: key(1)).receivedBytes = .max
    second.set(for: key(1)).receivedBytes = 3
    let sums = MetricSample.summed([first.samples, second.samples], limit: 10)
    #expect(sums.map(\.receivedBytes) == [2])
  }

  @Test func `of all workers are summed`() {
    var first = LabelTable()
    var second = LabelTable()
    first.set(for: key(1)).receivedBytes = 10
    second.set(for: key(1)).receivedBytes = 5
    second.set(for: key(1, .inbound)).closed = 1
    let sums = MetricSample.summed([first.samples, second.samples], limit: 10)
    #expect(sums.count == 2)
    #expect(sums.first { $0.reporter == .outbound }?.receivedBytes == 15)
  }
}
