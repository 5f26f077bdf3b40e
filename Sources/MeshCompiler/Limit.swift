/// Every bound the compiler works within.
public enum Limit {
  /// Unicode scalars of a value shown in a message.
  public static let quotedScalars = 64
  /// Objects in one generation.
  public static let objects = 100_000
  /// Characters of a field name that is compared with the known ones.
  static let comparedNameBytes = 64
  /// Changed letters up to which a known field counts as what was meant.
  static let typingErrors = 3
  /// Unknown fields of one mapping that are named; of the rest only the number is said.
  static let unknownFields = 20
  /// Namespaces nobody declares for which a likely name is looked for.
  static let hints = 100
  /// Findings kept of one generation; what is beyond is counted, not kept.
  public static let diagnostics = 1_000
}
