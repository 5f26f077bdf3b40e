import MeshModel

/// The bounds of what ztunnel does for the pods' DNS.
enum DNSLimit {
  /// Datagrams taken from one socket before others get their turn.
  static let datagramsPerTurn = 64
  /// The kernel's room for queries that wait: some thousand.
  static let receiveBufferBytes = 2 * 1_024 * 1_024

  // MARK: Asking a pod's own resolver

  /// Queries of one pod that wait for its resolver, on one worker; more get SERVFAIL at once.
  static let exchangesPerPod = 512
  /// The same for all pods of a worker.
  static let exchanges = 4_096
  /// How long a resolver may take; resolvers' libraries ask again after five seconds.
  static let upstreamAnswer = Duration.seconds(5)
  /// Datagrams that do not answer, after which the exchange ends: somebody is guessing.
  static let strayAnswers = 32

  // MARK: TCP

  /// Connections of one pod on one worker; more are reset.
  static let streamsPerPod = 256
  /// A connection closes after this long without a message.
  static let streamIdle = Duration.seconds(10)
  /// A client that is silent so long does not speak DNS: it is connected through as it is.
  static let firstMessage = Duration.seconds(1)
  /// Bytes of one read.
  static let streamReadBytes = 16 * 1_024
  /// Bytes that wait in one direction before the other end is not read.
  static let streamBacklogBytes = 128 * 1_024

  // MARK: Deciding

  /// Decisions a worker keeps for one pod, until the model changes.
  static let decisionsPerPod = 256

  // MARK: Counting

  /// Distinct workloads with counters of their own.
  static let countedWorkloads = 4_096
}
