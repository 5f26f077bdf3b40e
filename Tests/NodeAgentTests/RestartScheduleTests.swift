import MeshModel
import Testing

@testable import NodeAgent

@Suite struct `Restarts of ztunnel` {
  static func delays(atSeconds seconds: [Double]) -> [Duration] {
    var schedule = RestartSchedule()
    return seconds.map { second in
      schedule.delayAfterCrash(at: Instant(nanoseconds: UInt64(second * 1e9)))
    }
  }

  @Test func `come at once for three crashes in ten seconds, then wait twice as long each`() {
    #expect(
      Self.delays(atSeconds: [1, 2, 3, 4, 5, 6])
        == [.zero, .zero, .zero, .milliseconds(200), .milliseconds(400), .milliseconds(800)])
  }

  @Test func `come at once again after quiet`() {
    #expect(Self.delays(atSeconds: [1, 2, 3, 4, 60]).last == .zero)
  }

  @Test func `never wait longer than ten seconds`() {
    let delays = Self.delays(atSeconds: (0..<30).map { Double($0) * 0.1 })
    #expect(delays.max() == .seconds(10))
  }
}
