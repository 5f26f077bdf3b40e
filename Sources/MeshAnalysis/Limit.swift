/// Every bound the analysis works within.
public enum Limit {
  /// Findings of one code that are shown; of the rest only the number is said.
  public static let findingsPerCode = 20
  /// Names in one sentence.
  static let names = 3
  /// Routes of one list that are held against each other.
  static let comparedRoutes = 200
  /// Missing names for which a likely one is looked for, and the names looked through for each.
  static let hints = 100
  static let candidates = 2_000
}
