/// Every bound and interval of the control plane, by name.
enum Limit {
  /// Discovery streams at once.
  static let streams = 10_000
  /// New discovery streams in one second, on average and in a burst.
  static let streamsPerSecond = 200.0
  static let streamsBurst = 1_000.0
  /// Certificates asked for in one second, on average and in a burst.
  static let certificatesPerSecond = 500.0
  static let certificatesBurst = 2_000.0

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
}
