/// Every bound and wait of the command line, by name.
enum Limit {
  /// For one question and its answer, unless --timeout says otherwise.
  static let answerTime = Duration.seconds(30)
  static let longestAnswerTime = Duration.seconds(300)
  /// For something to become true, unless --timeout says otherwise.
  static let changeTime = Duration.seconds(300)
  /// Between two looks at something that is awaited.
  static let lookInterval = Duration.seconds(1)
  /// Programs that are asked at the same time.
  static let questions = 16
  /// Problems that are told; the rest is counted.
  static let problems = 12
  /// Pods that are named one by one.
  static let namedPods = 20
  /// Bytes of a program's word that are shown.
  static let lineBytes = 2_048
  /// One file of manifests.
  static let fileBytes = 4 << 20
}
