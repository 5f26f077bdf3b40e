import CLinux
import Glibc

/// A directory of the cgroup2 hierarchy.
public struct ControlGroup: Hashable, Sendable {
  public let path: String
  /// The directory's inode: what bpf_skb_cgroup_id answers for its processes.
  public let id: UInt64

  /// A group that exists.
  public init(path: String) throws(LinuxError) {
    self.path = path
    id = try inode(of: path)
  }

  /// The root of the cgroup2 hierarchy, wherever it is mounted.
  ///
  /// On most machines `/sys/fs/cgroup`; beside the older controllers it is often
  /// `/sys/fs/cgroup/unified`.
  public static func root() throws(LinuxError) -> ControlGroup {
    let mounts = try File.readText("/proc/self/mounts")
    guard let path = mountPoint(in: mounts) else {
      throw LinuxError(call: "cgroup2", errno: ENOENT, subject: "/proc/self/mounts")
    }
    return try ControlGroup(path: path)
  }

  /// Where `/proc/self/mounts` says that cgroup2 is; nil when it is not mounted.
  static func mountPoint(in mounts: String) -> String? {
    for line in mounts.split(separator: "\n") {
      let fields = line.split(separator: " ")
      if fields.count > 2, fields[2] == "cgroup2" { return String(fields[1]) }
    }
    return nil
  }

  /// The group of a process; its path in `/proc/…/cgroup` is seen from the root of the hierarchy.
  public static func ofProcess(_ processID: Int32) throws(LinuxError) -> ControlGroup {
    let file = "/proc/\(processID)/cgroup"
    let text = try File.readText(file)
    guard let line = text.split(separator: "\n").first(where: { $0.hasPrefix("0::/") }) else {
      throw LinuxError(call: "cgroup2", errno: ENOENT, subject: file)
    }
    let relative = line.dropFirst("0::/".count)
    // A process outside our cgroup namespace: its path cannot be followed from here.
    guard !relative.hasPrefix("..") else {
      throw LinuxError(call: "cgroup2", errno: EXDEV, subject: "\(file): \(line)")
    }
    let root = try root()
    return relative.isEmpty ? root : try ControlGroup(path: "\(root.path)/\(relative)")
  }

  /// Makes the child `name`, or opens it when it is already there.
  public func make(_ name: String) throws(LinuxError) -> ControlGroup {
    let child = "\(path)/\(name)"
    try Directory.make(child)
    return try ControlGroup(path: child)
  }

  /// The child `name`; nil when there is none.
  public func child(_ name: String) throws(LinuxError) -> ControlGroup? {
    do throws(LinuxError) {
      return try ControlGroup(path: "\(path)/\(name)")
    } catch {
      if error.isNotFound { return nil }
      throw error
    }
  }

  public enum Removal: Hashable, Sendable {
    case removed
    case absent
    /// Processes or children are left in it, dying ones included.
    case busy
  }

  public func remove() throws(LinuxError) -> Removal {
    if unsafe rmdir(path) == 0 { return .removed }
    switch errno {
    case ENOENT: return .absent
    case EBUSY, ENOTEMPTY: return .busy
    default: throw failed("rmdir", errno, path)
    }
  }

  /// Moves a process, with all its threads, into the group; 0 is the caller.
  public func add(processID: Int32) throws(LinuxError) {
    try File.write("\(path)/cgroup.procs", "\(processID)\n")
  }

  public func processes() throws(LinuxError) -> [Int32] {
    try File.readText("\(path)/cgroup.procs").split(separator: "\n").compactMap { Int32($0) }
  }

  /// Kills every process in the group and below it; Linux 5.14.
  public func kill() throws(LinuxError) {
    try File.write("\(path)/cgroup.kill", "1")
  }

  /// For children that move into it and for BPF programs that attach to a group.
  public func openDirectory() throws(LinuxError) -> OwnedDescriptor {
    let number = try check("open", path) { unsafe clinux_open(path, O_RDONLY | O_DIRECTORY, 0) }
    return OwnedDescriptor(adopting: number)
  }
}

private func inode(of path: String) throws(LinuxError) -> UInt64 {
  var inode: UInt64 = 0
  var mode: UInt32 = 0
  try check("stat", path) { unsafe clinux_stat_inode(path, &inode, &mode) }
  return inode
}
