import AgentProtocol
import Linux
import MeshModel

/// The way to the end of the process.
struct Ending {
  /// The workers have cut everything by then; a little later we end without them.
  var giveUp: Instant
  var silent: Set<Int>
  var cut: UInt32 = 0
  var isReported = false
}

extension Control {
  func received(_ signal: Signal) {
    guard ending == nil else {
      // Asked twice: at once.
      ending?.giveUp = now
      return
    }
    end(within: ZTunnelLimit.drainOnSignal)
  }

  func end(within deadline: Duration) {
    let moment = now + max(deadline, .zero)
    var ending = ending ?? Ending(giveUp: moment, silent: Set(workers.indices))
    ending.giveUp = moment + ZTunnelLimit.inspectionWait
    self.ending = ending
    tellWorkers(.drain(until: moment))
    closeDNSPorts()
  }

  func drained(_ worker: Int, _ cut: UInt32) {
    ending?.silent.remove(worker)
    ending?.cut += cut
  }

  /// True when the process may end: everything has ended and the agent knows.
  func finishEnding() -> Bool {
    guard var ending else { return false }
    if !ending.isReported, ending.silent.isEmpty || ending.giveUp <= now {
      ending.isReported = true
      ending.giveUp = now + ZTunnelLimit.inspectionWait
      self.ending = ending
      send(.drained(cut: ending.cut))
    }
    guard ending.isReported else { return false }
    do throws(AgentLinkError) {
      return try link.flush() || ending.giveUp <= now
    } catch {
      return true
    }
  }
}
