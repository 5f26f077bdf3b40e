import CLinux
import Glibc

/// The file system that keeps pinned BPF objects.
public enum BPFFileSystem {
  public static let usualPath = "/sys/fs/bpf"

  /// Whether `path` lies on a bpffs; false when there is nothing at all.
  public static func isMounted(at path: String = usualPath) throws(LinuxError) -> Bool {
    var magic: UInt64 = 0
    if unsafe clinux_filesystem_kind(path, &magic) == 0 { return magic == CLINUX_BPF_FS_MAGIC }
    if errno == ENOENT { return false }
    throw failed("statfs", errno, path)
  }

  /// Mounts a bpffs on `path` unless it is one; whether it had to.
  @discardableResult public static func mount(at path: String = usualPath) throws(LinuxError)
    -> Bool
  {
    if try isMounted(at: path) { return false }
    try check("mount", path) { unsafe clinux_mount("bpf", path, "bpf", 0) }
    return true
  }
}
