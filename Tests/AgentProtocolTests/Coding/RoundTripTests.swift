import AgentProtocol
import MeshModel
import Testing

/// Random messages of each case per test; a failure prints the seed.
private let rounds: Range<UInt64> = 0..<200

@Suite struct `Messages come back as they were sent` {
  @Test(arguments: 0..<RandomValues.agentCases)
  func `from the agent`(number: Int) throws {
    for seed in rounds {
      var values = RandomValues(seed: seed)
      let message = values.agentMessage(case: number)
      #expect(try AgentMessage(decoding: message.encoded().span) == message, "seed \(seed)")
    }
  }

  @Test(arguments: 0..<RandomValues.tunnelCases)
  func `from ztunnel`(number: Int) throws {
    for seed in rounds {
      var values = RandomValues(seed: seed)
      let message = values.tunnelMessage(case: number)
      #expect(try TunnelMessage(decoding: message.encoded().span) == message, "seed \(seed)")
    }
  }

  @Test func `equal messages have equal bytes`() {
    for seed in rounds {
      var values = RandomValues(seed: seed)
      let workload = values.workload()
      var rebuilt = workload
      rebuilt.services = [:]
      for key in workload.services.keys.reversed() {
        rebuilt.services[key] = workload.services[key]
      }
      var change = ModelChange(isFull: true, generation: 1)
      change.workloads = [workload]
      let bytes = AgentMessage.model(change).encoded()
      change.workloads = [rebuilt]
      #expect(AgentMessage.model(change).encoded() == bytes)
    }
  }

  @Test func `text beyond the limit is cut at a character`() throws {
    let reason = String(repeating: "東", count: 30_000)
    let sent = TunnelMessage.podFailed(uid: "p", reason: reason)
    guard case .podFailed("p", let received) = try TunnelMessage(decoding: sent.encoded().span)
    else {
      Issue.record("another case came back")
      return
    }
    #expect(reason.hasPrefix(received))
    #expect(received.utf8.count == Limit.textBytes - Limit.textBytes % 3)
  }

  @Test func `the extremes of a duration survive`() throws {
    for duration in [Duration.seconds(Int64.max), .seconds(Int64.min), .nanoseconds(-1)] {
      let message = AgentMessage.drain(deadline: duration)
      #expect(try AgentMessage(decoding: message.encoded().span) == message)
    }
  }
}
