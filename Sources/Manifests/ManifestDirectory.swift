/// A directory tree of manifests.
public struct ManifestDirectory: Hashable, Sendable {
  public var path: String
  public var limits: ManifestLimits

  public init(path: String, limits: ManifestLimits = ManifestLimits()) {
    self.path = path
    self.limits = limits
  }

  /// Reads everything now. What cannot be read is an error diagnostic of the snapshot.
  public func read() -> ManifestSnapshot {
    ManifestSnapshot()
  }

  /// Calls `body` with what is there, then with every settled change, until the task is cancelled.
  ///
  /// One change is one call: files that change together arrive together.
  public func watch(_ body: (ManifestSnapshot) async -> Void) async throws(CancellationError) {
    await body(read())
  }
}

/// How much a directory of manifests may hold.
public struct ManifestLimits: Hashable, Sendable {
  public var fileBytes = 4 << 20
  public var totalBytes = 64 << 20
  public var files = 10_000
  public var documentsPerFile = 10_000
  /// Mappings and sequences inside one another.
  public var depth = 64
  /// Values in one file, after aliases are replaced by what they stand for.
  public var nodesPerFile = 500_000

  public init() {}
}
