import Linux

/// Finds a network namespace again by its inode: by a path that was kept, a name, or a process.
enum NamespaceSearch {
  /// Where `ip netns` and container runtimes keep names.
  static let folders = ["/run/netns", "/var/run/netns", "/run/docker/netns"]

  /// Nil when nothing that can be reached has this inode and cookie.
  static func find(
    inode: UInt64, cookie: UInt64, path: String?
  ) throws(RedirectError) -> NetworkNamespace? {
    var candidates = path.map { [$0] } ?? []
    for folder in folders {
      candidates += try entries(of: folder).map { "\(folder)/\($0)" }
    }
    for name in try entries(of: "/proc") where Int32(name) != nil {
      candidates.append("/proc/\(name)/ns/net")
    }
    for candidate in candidates {
      if let namespace = try open(candidate, inode: inode, cookie: cookie) { return namespace }
    }
    return nil
  }

  private static func open(
    _ path: String, inode: UInt64, cookie: UInt64
  ) throws(RedirectError) -> NetworkNamespace? {
    guard let namespace = openIfThere(path) else { return nil }
    let identity = try NamespaceIdentity(of: namespace)
    guard identity.inode == inode, identity.cookie == cookie else { return nil }
    return namespace
  }

  /// Nil for a process that ended, a stale name, another user's process: none of them is sought.
  private static func openIfThere(_ path: String) -> NetworkNamespace? {
    do throws(LinuxError) {
      return try NetworkNamespace.open(path: path)
    } catch {
      return nil
    }
  }
}

extension Redirection {
  /// Releases every pod of the node and removes everything that is shared: after a drain or a crash.
  ///
  /// Namespaces are found by the path in the pins, by name and by process. Answers what could not be
  /// undone, one line each; empty when nothing is left.
  public static func uninstall(node: String) throws(RedirectError) -> [String] {
    guard Directory.exists(try PinDirectory(node: node).nodePath) else { return [] }
    let redirection = try Redirection(node: node, attachment: .tcx)
    var left: [String] = []
    for uid in try redirection.enrolledPods() {
      do throws(RedirectError) {
        try redirection.release(uid)
      } catch {
        left.append("pod \(uid): \(error)")
      }
    }
    guard left.isEmpty else { return left }
    try redirection.removeEverythingShared()
    return []
  }

  /// Removes what the node's pods share, when no pod is left; for the end of an orderly stop.
  public borrowing func removeShared() throws(RedirectError) {
    guard try enrolledPods().isEmpty else { return }
    try removeEverythingShared()
  }
}
