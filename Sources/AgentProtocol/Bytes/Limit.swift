/// The bounds of a message; a sender stays within them, a receiver refuses what does not.
public enum Limit {
  /// Largest payload of one frame, in bytes.
  public static let payloadBytes = 16 * 1_024 * 1_024
  /// Bytes of the elements one piece of a generation holds; well below a frame's.
  public static let pieceBytes = 4 * 1_024 * 1_024
  /// Pieces of one generation: 56 MiB, so that all of them find room in what a link queues.
  public static let piecesPerGeneration = 14
  /// Longest text, in UTF-8 bytes.
  ///
  /// A writer cuts longer text at a character.
  public static let textBytes = 65_536
  /// Longest byte string (a certificate, a request), in bytes.
  public static let blobBytes = 65_536
  /// Largest revocation list, in bytes: some hundred thousand entries.
  public static let revocationListBytes = 8 * 1_024 * 1_024
  /// Most elements of one list.
  public static let listElements = 1_000_000
  /// Records of ended connections in one message; with texts of the greatest length they fit a frame.
  public static let closedRecords = 32
  /// Most records one inspection answers with, so that it always fits a frame.
  public static let inspectionRecords = 10_000
}
