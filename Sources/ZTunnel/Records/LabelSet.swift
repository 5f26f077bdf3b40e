import AgentProtocol
import MeshModel

/// What the counters of connections are told apart by.
struct LabelKey: Hashable {
  var reporter: Direction
  var sourceWorkload: String
  var destinationWorkload: String
  var sourceIdentity: SPIFFEID?
  var destinationIdentity: SPIFFEID?
  var service: ServiceKey?
  var isMutualTLS: Bool
  var flag: ResponseFlag

  /// Where label sets beyond the limit are counted.
  static func overflow(_ reporter: Direction) -> LabelKey {
    LabelKey(
      reporter: reporter, sourceWorkload: "", destinationWorkload: "", sourceIdentity: nil,
      destinationIdentity: nil, service: nil, isMutualTLS: false, flag: .none)
  }
}

/// The counters of one label set on one worker: plain integers, written by one thread.
final class LabelSet {
  let key: LabelKey
  var opened: UInt64 = 0
  var closed: UInt64 = 0
  var failed: UInt64 = 0
  /// From client to server.
  var receivedBytes: UInt64 = 0
  /// From server to client.
  var sentBytes: UInt64 = 0
  /// Asked for since the table last made room.
  fileprivate var isRecent = true

  /// Whether no live connection counts here, and none has for a while.
  fileprivate var isIdle: Bool { !isRecent && opened == closed }

  init(_ key: LabelKey) { self.key = key }

  var sample: MetricSample {
    var sample = MetricSample(
      reporter: key.reporter, sourceWorkload: key.sourceWorkload,
      destinationWorkload: key.destinationWorkload, sourceIdentity: key.sourceIdentity,
      destinationIdentity: key.destinationIdentity, service: key.service,
      isMutualTLS: key.isMutualTLS, flag: key.flag)
    sample.opened = opened
    sample.closed = closed
    sample.failed = failed
    sample.receivedBytes = receivedBytes
    sample.sentBytes = sentBytes
    return sample
  }
}

/// One worker's label sets, bounded.
///
/// When it is full, sets that nobody has used for a while make room: their counters end, and begin
/// at zero should the names come again, as after a restart.
struct LabelTable {
  private var sets: [LabelKey: LabelSet] = [:]
  /// Those without names.
  private var overflows: [LabelKey: LabelSet] = [:]
  private let limit: Int
  /// Sets to be asked for in vain before room is made again, so that it costs little each time.
  private var patience = 0

  init(limit: Int = ZTunnelLimit.labelSets) { self.limit = limit }

  /// The set for the key, or the one for everything beyond the limit.
  mutating func set(for key: LabelKey) -> LabelSet {
    if let set = sets[key] {
      set.isRecent = true
      return set
    }
    if sets.count >= limit { makeRoom() }
    guard sets.count < limit else { return overflow(key.reporter) }
    let set = LabelSet(key)
    sets[key] = set
    return set
  }

  private mutating func overflow(_ reporter: Direction) -> LabelSet {
    let key = LabelKey.overflow(reporter)
    if let set = overflows[key] { return set }
    let set = LabelSet(key)
    overflows[key] = set
    return set
  }

  private mutating func makeRoom() {
    guard patience == 0 else {
      patience -= 1
      return
    }
    patience = limit / 10
    sets = sets.filter { !$0.value.isIdle }
    for set in sets.values { set.isRecent = false }
  }

  var samples: [MetricSample] { sets.values.map(\.sample) + overflows.values.map(\.sample) }
}

extension MetricSample {
  var labels: LabelKey {
    LabelKey(
      reporter: reporter, sourceWorkload: sourceWorkload,
      destinationWorkload: destinationWorkload, sourceIdentity: sourceIdentity,
      destinationIdentity: destinationIdentity, service: service, isMutualTLS: isMutualTLS,
      flag: flag)
  }

  /// The sums over all workers, one sample per label set, at most `limit`.
  static func summed(_ parts: [[MetricSample]], limit: Int) -> [MetricSample] {
    var sums: [LabelKey: MetricSample] = [:]
    for sample in parts.joined() {
      guard var sum = sums[sample.labels] else {
        if sums.count < limit { sums[sample.labels] = sample }
        continue
      }
      // Counters wrap, as Prometheus expects of them.
      sum.opened &+= sample.opened
      sum.closed &+= sample.closed
      sum.failed &+= sample.failed
      sum.receivedBytes &+= sample.receivedBytes
      sum.sentBytes &+= sample.sentBytes
      sums[sample.labels] = sum
    }
    return Array(sums.values)
  }
}
