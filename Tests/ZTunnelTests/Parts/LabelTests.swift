import AgentProtocol
import MeshModel
import Testing

@testable import ZTunnel

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
