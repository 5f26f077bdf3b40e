/// Every bound the compiler works within.
public enum Limit {
  /// Unicode scalars of a value shown in a message.
  public static let quotedScalars = 64
  /// Objects in one generation.
  public static let objects = 100_000
}
