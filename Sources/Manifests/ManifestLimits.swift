/// How much a directory of manifests may hold; more is an error, and the last good generation stays.
public struct ManifestLimits: Hashable, Sendable {
  public var fileBytes = 4 << 20
  public var totalBytes = 64 << 20
  public var files = 10_000
  /// Directories in the tree, its root among them.
  public var directories = 4_096
  /// Directories inside one another.
  public var directoryDepth = 16
  public var documentsPerFile = 10_000
  /// Mappings and lists inside one another.
  public var depth = 64
  /// Values in one file, after aliases are replaced by what they stand for.
  public var nodesPerFile = 500_000

  public init() {}
}
