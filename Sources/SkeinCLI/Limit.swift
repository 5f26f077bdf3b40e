/// Every bound and wait of the command line, by name.
enum Limit {
  /// For one question and its answer, unless --timeout says otherwise.
  static let answerTime = Duration.seconds(30)
  static let longestAnswerTime = Duration.seconds(300)
  /// For something to become true, unless --timeout says otherwise.
  static let changeTime = Duration.seconds(300)
}
