/// Every bound that the other end of a discovery stream can run into.
public enum Limit {
  // MARK: Resources

  /// Bytes of a resource's name, or of an alias.
  public static let nameBytes = 2_048
  /// Bytes of a resource's version; istiod's are 16.
  public static let versionBytes = 256
  /// Bytes of one encoded resource.
  public static let resourceBytes = 2 << 20
  /// Resources of one type that a client holds.
  public static let heldResources = 1_000_000
  /// Bytes of all resources of one type that a client holds, as they were encoded.
  public static let heldBytes = 1 << 30

  // MARK: Messages

  /// Bytes of names and versions that a client claims when it reconnects; gRPC servers accept
  /// messages of 4 MiB (istiod: ISTIO_GPRC_MAXRECVMSGSIZE).
  public static let claimBytes = 3 << 20
  /// Bytes of names that a client asks for one by one; a part of the above.
  public static let askedBytes = 2 << 20
  /// Bytes of resources and removed names in one response of our server.
  public static let responseBytes = 3 << 20
  /// Bytes of the reasons in a refusal.
  public static let refusalTextBytes = 4_096
  /// Rejected resources that are remembered by name, and reported for one response.
  public static let rememberedRejections = 256

  // MARK: Streams

  /// Names that one stream subscribes to.
  public static let subscriptions = 20_000
  /// Changed names that a set remembers per type, or twice as many as it has resources if that is
  /// more; a stream further behind must start again.
  public static let rememberedChanges = 16_384
  /// Bytes of a node's id, and of each metadata value that is looked at.
  public static let nodeTextBytes = 1_024

  // MARK: Disk

  /// Bytes of a snapshot that is read back.
  public static let snapshotBytes = 512 << 20
}
