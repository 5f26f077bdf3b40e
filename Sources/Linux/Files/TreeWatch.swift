import CLinux
import Glibc

/// Says that something changed in a directory or below it (inotify); not what.
///
/// Follows the links that Kubernetes puts into mounted ConfigMaps: a change of `..data` is a change.
public struct TreeWatch: ~Copyable, Sendable {
  public enum Limit {
    /// Directories watched in one tree; a larger tree is an error, not a blind spot.
    public static let directories = 4_096
  }

  public let root: String
  private let descriptor: OwnedDescriptor

  public init(root: String) throws(LinuxError) {
    let descriptor = OwnedDescriptor(adopting: try check("inotify_init1") { clinux_inotify() })
    try watchTree(root, descriptor.number)
    self.root = root
    self.descriptor = descriptor
  }

  public var number: CInt { descriptor.number }

  /// Whether anything changed since the last call; new directories are watched from then on.
  ///
  /// Read the tree after the call: whatever changes later makes the descriptor readable again.
  public borrowing func drain() throws(LinuxError) -> Bool {
    let number = descriptor.number
    let hasChanged = try drainWatch(number, "inotify \(root)")
    // Adding a watch twice changes nothing, so the whole tree is walked instead of book kept.
    if hasChanged { try watchTree(root, number) }
    return hasChanged
  }
}

private func watchTree(_ root: String, _ number: CInt) throws(LinuxError) {
  var waiting = [root]
  // One directory has one watch, by whatever path it is reached: a loop of links ends here.
  var watches: Set<CInt> = []
  while let path = waiting.popLast() {
    guard watches.count < TreeWatch.Limit.directories else {
      throw LinuxError(call: "inotify_add_watch", errno: ENOSPC, subject: root)
    }
    let mask = CLINUX_TREE_CHANGES | CLINUX_IN_ONLYDIR
    let watch = unsafe clinux_inotify_add(number, path, mask)
    if watch < 0 {
      // It went away, or became a file, since it was listed; a root that is gone is an error.
      if path != root && (errno == ENOENT || errno == ENOTDIR) { continue }
      throw failed("inotify_add_watch", errno, path)
    }
    if watches.insert(watch).inserted { waiting += try subdirectories(of: path) }
  }
}

private func subdirectories(of path: String) throws(LinuxError) -> [String] {
  do throws(LinuxError) {
    return try Directory.entries(path).map { "\(path)/\($0)" }.filter(Directory.exists)
  } catch {
    if error.isNotFound { return [] }
    throw error
  }
}
