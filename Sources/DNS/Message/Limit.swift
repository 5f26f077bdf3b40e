/// The bounds of DNS messages and of what is done for one.
public enum Limit {
  /// The fixed header; anything shorter is no message.
  public static let headerBytes = 12
  /// A name on the wire, with its length bytes and the root's.
  ///
  /// Source: RFC 1035, section 2.3.4.
  public static let nameBytes = 255
  public static let labelBytes = 63
  /// Labels of a name the mesh looks for; a longer name is for the application's resolver.
  public static let labels = 32
  /// Records beside the question that are read in search of EDNS; more are not a resolver's query.
  public static let queryRecords = 8
  /// An answer over UDP to a client without EDNS.
  public static let plainPayloadBytes = 512
  /// The largest answer over UDP, whatever the client says it takes.
  public static let payloadBytes = 4_096
  /// The largest message over TCP.
  public static let messageBytes = 65_535
  /// Addresses of one answer, chosen at random from a larger service.
  public static let addresses = 1_024
  /// Records of an answer to a question of our own that are read.
  public static let resolvedRecords = 256
  /// Addresses of a host name that are kept.
  public static let resolvedAddresses = 64
  /// An IPv4 address on a name that was written before.
  static let leastRecordBytes = 16
  /// Seconds an answer of the mesh may be kept.
  public static let timeToLive: UInt32 = 30
}
