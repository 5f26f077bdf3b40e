import CBPF
import Glibc
import Linux

/// What a pod's programs counted.
extension PodKernel {
  func readCounters() throws(RedirectError) -> RedirectionCounters {
    let processors = Int(libbpf_num_possible_cpus())
    guard processors > 0 else {
      throw .map(
        name: "counters", LinuxError(call: "libbpf_num_possible_cpus", errno: CInt(-processors)))
    }
    var slots: [UInt64] = []
    for slot in 0..<UInt32(REDIRECT_COUNTERS.rawValue) {
      slots.append(try sumOverProcessors(counters.number, slot: slot, processors: processors))
    }
    return RedirectionCounters(slots: slots)
  }
}

extension RedirectionCounters {
  init(slots: [UInt64]) {
    func value(_ counter: redirect_counter) -> UInt64 { slots[Int(counter.rawValue)] }
    looped = value(REDIRECT_EGRESS_LOOPED)
    passedAgent = value(REDIRECT_EGRESS_PASSED_AGENT)
    passedProbe = value(REDIRECT_EGRESS_PASSED_PROBE)
    passedOther = value(REDIRECT_EGRESS_PASSED_OTHER)
    passedControl = value(REDIRECT_EGRESS_PASSED_CONTROL)
    droppedOrphan = value(REDIRECT_EGRESS_DROPPED_ORPHAN)
    droppedProtocol = value(REDIRECT_EGRESS_DROPPED_PROTOCOL)
    droppedMalformed = value(REDIRECT_EGRESS_DROPPED_MALFORMED)
    givenOutbound = value(REDIRECT_LOOKUP_OUTBOUND)
    givenInbound = value(REDIRECT_LOOKUP_INBOUND)
    givenHBONE = value(REDIRECT_LOOKUP_HBONE)
    leftLocal = value(REDIRECT_LOOKUP_PASSED_LOCAL)
    leftProbe = value(REDIRECT_LOOKUP_PASSED_PROBE)
    droppedNoListener = value(REDIRECT_LOOKUP_DROPPED)
    loopedDNS = value(REDIRECT_EGRESS_LOOPED_DNS)
    passedDNS = value(REDIRECT_EGRESS_PASSED_DNS)
    givenDNS = value(REDIRECT_LOOKUP_DNS)
    passedKept = value(REDIRECT_EGRESS_PASSED_KEPT)
    passedReleased = value(REDIRECT_EGRESS_PASSED_RELEASED)
    keptOverflow = value(REDIRECT_EGRESS_KEPT_OVERFLOW)
    leftReleased = value(REDIRECT_LOOKUP_PASSED_RELEASED)
  }
}
