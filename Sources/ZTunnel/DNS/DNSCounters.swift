import AgentProtocol
import DNS
import MeshModel

/// The counters of one workload's queries of one type over one protocol, on one worker.
final class DNSCounters {
  private(set) var sample: DNSSample

  init(_ key: DNSKey) {
    sample = DNSSample(
      sourceWorkload: key.workload, queryType: key.type, isStream: key.isStream)
  }

  func asked() { sample.requests &+= 1 }
  func askedUpstream() { sample.upstreamRequests &+= 1 }
  func upstreamFailed() { sample.upstreamFailures &+= 1 }

  func upstreamAnswered(after duration: Duration) {
    let (seconds, attoseconds) = duration.components
    let nanoseconds = UInt64(clamping: seconds * 1_000_000_000 + attoseconds / 1_000_000_000)
    let bucket = DNSSample.durationBuckets.firstIndex { nanoseconds <= $0 }
    sample.durations[bucket ?? DNSSample.durationBuckets.count] &+= 1
    sample.totalDuration &+= nanoseconds
  }
}

/// What DNS counters are told apart by.
struct DNSKey: Hashable {
  var workload: String
  var type: String
  var isStream: Bool

  init(workload: String, type: RecordType, isStream: Bool) {
    self.workload = workload
    self.type = type.name
    self.isStream = isStream
  }

  init(_ sample: DNSSample) {
    workload = sample.sourceWorkload
    type = sample.queryType
    isStream = sample.isStream
  }
}

/// One worker's DNS counters, bounded.
struct DNSTable {
  private var counters: [DNSKey: DNSCounters] = [:]
  private var workloads: Set<String> = []

  /// The counters for the key; those of workloads beyond the limit are counted without a name.
  mutating func counters(for key: DNSKey) -> DNSCounters {
    if let found = counters[key] { return found }
    var key = key
    if !workloads.contains(key.workload), workloads.count >= DNSLimit.countedWorkloads {
      key.workload = ""
      if let found = counters[key] { return found }
    }
    workloads.insert(key.workload)
    let fresh = DNSCounters(key)
    counters[key] = fresh
    return fresh
  }

  var samples: [DNSSample] { counters.values.map(\.sample) }
}

extension DNSSample {
  /// The sums over all workers, one sample per key, at most `limit`.
  static func summed(_ parts: [[DNSSample]], limit: Int) -> [DNSSample] {
    var sums: [DNSKey: DNSSample] = [:]
    for sample in parts.joined() {
      guard var sum = sums[DNSKey(sample)] else {
        if sums.count < limit { sums[DNSKey(sample)] = sample }
        continue
      }
      sum.add(sample)
      sums[DNSKey(sample)] = sum
    }
    return Array(sums.values)
  }
}
