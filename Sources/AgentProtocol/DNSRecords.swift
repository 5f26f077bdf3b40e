/// What ztunnel did with the DNS queries of one workload, of one type, over one protocol.
public struct DNSSample: Hashable, Sendable {
  /// Upper ends of the buckets of an upstream answer's duration, in nanoseconds; one more is open.
  ///
  /// Source: ambient-protocol.md, section 2.5.
  public static let durationBuckets: [UInt64] = [
    500_000, 1_000_000, 10_000_000, 100_000_000, 1_000_000_000, 5_000_000_000,
  ]

  /// Uid in the model.
  public var sourceWorkload: String
  /// `A`, `AAAA`, `SRV` or `other`.
  public var queryType: String
  /// Over TCP.
  public var isStream: Bool
  public var requests: UInt64 = 0
  /// Sent on to the resolver the application addressed.
  public var upstreamRequests: UInt64 = 0
  /// Not answered by it in time, or not at all.
  public var upstreamFailures: UInt64 = 0
  /// Upstream answers by duration: one count per bucket, none below, and the open one.
  public var durations: [UInt64]
  /// Of all upstream answers together, in nanoseconds.
  public var totalDuration: UInt64 = 0

  public init(sourceWorkload: String, queryType: String, isStream: Bool) {
    self.sourceWorkload = sourceWorkload
    self.queryType = queryType
    self.isStream = isStream
    durations = Array(repeating: 0, count: DNSSample.durationBuckets.count + 1)
  }

  /// Adds what another worker, or an earlier report, counted of the same queries.
  public mutating func add(_ other: DNSSample) {
    requests &+= other.requests
    upstreamRequests &+= other.upstreamRequests
    upstreamFailures &+= other.upstreamFailures
    totalDuration &+= other.totalDuration
    for (index, count) in zip(durations.indices, other.durations) { durations[index] &+= count }
  }
}
