/// Every bound and interval of the control plane, by name.
enum Limit {
  /// Discovery streams at once.
  static let streams = 10_000
  /// New discovery streams of callers that are known.
  static let newStreams = Allowance.Rate(perSecond: 200, burst: 1_000)
  /// Certificates asked for by callers that are known: by all, by a node, by a workload.
  static let certificates = Allowance.Rate(perSecond: 500, burst: 2_000)
  static let certificatesOfNode = Allowance.Rate(perSecond: 50, burst: 1_000)
  static let certificatesOfWorkload = Allowance.Rate(perSecond: 1, burst: 50)
  /// Nodes, and workloads, whose shares are told apart; the rest have one together.
  static let callers = 20_000
  /// Attempts to prove something that come to nothing, of one source.
  static let attemptsOfSource = Allowance.Rate(perSecond: 20, burst: 300)
  /// Sources that are told apart; the rest have one share together.
  static let sources = 4_096

  /// Allocations of at least so much are mappings of their own, gone when they are freed.
  static let mappedBytes = 128 << 10
  /// How often the authority, tokens and TLS files are looked at.
  static let fileInterval = Duration.seconds(2)
  /// How long a serving certificate of our own authority lives; it is replaced at half of that.
  static let servingLifetime = Duration.seconds(24 * 3_600)
  /// Names in a serving certificate.
  static let serverNames = 64

  /// Diagnostics and streams shown in status; the counts are always told.
  static let diagnosticsShown = 100
  static let streamsShown = 10_000
  /// Bytes of what a client says in a refusal that are logged and shown.
  static let refusalTextBytes = 1_024

  /// Bytes of a status answer that the command line accepts, and how long it waits.
  static let statusBytes = 64 << 20
  static let adminTimeout = Duration.seconds(10)

  /// Changes of a cluster are taken up after so long without another, and after so long at most.
  static let clusterQuiet = Duration.milliseconds(10)
  static let clusterDelay = Duration.milliseconds(100)
  /// Times objects that claim one address are left out, and the rest tried again.
  static let conflictRounds = 8
  /// How long a start waits for the Secret with the authority, and how often it is looked for.
  static let authorityPatience = Duration.seconds(60)
  static let authorityPause = Duration.seconds(1)
  /// How often the copies of the root are compared with it.
  static let copyInterval = Duration.seconds(1)
  /// How long one copy rests after it was written; twice as long each time it is written again
  /// within `copyCalm`.
  static let copyRest = Duration.seconds(1)
  static let longestCopyRest = Duration.seconds(60)
  static let copyCalm = Duration.seconds(180)
  /// Tokens whose review is remembered, and how long.
  static let reviews = 10_000
  static let reviewAge = Duration.seconds(10)
  /// How long a review counts for a stream; then its client must show the token it has by then.
  static let reviewValidity = Duration.seconds(3_600)
}
