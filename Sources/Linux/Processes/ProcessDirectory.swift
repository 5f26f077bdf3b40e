import CLinux
import Glibc

/// One process by its directory under /proc, held open.
///
/// What is read here is of this process or fails: whoever gets its number next is another directory.
public struct ProcessDirectory: ~Copyable, Sendable {
  public let processID: Int32
  private let descriptor: OwnedDescriptor

  /// Fails when there is no such process.
  public init(processID: Int32) throws(LinuxError) {
    let path = "/proc/\(processID)"
    let number = try check("open", path) { unsafe clinux_open(path, O_RDONLY | O_DIRECTORY, 0) }
    descriptor = OwnedDescriptor(adopting: number)
    self.processID = processID
  }

  /// The name it goes by, at most 15 bytes; any process may choose its own (proc(5), `comm`).
  public borrowing func name() throws(LinuxError) -> String {
    do throws(LinuxError) {
      return String(try File.readText("\(path)/comm").dropLast())
    } catch {
      throw error.about("/proc/\(processID)/comm")
    }
  }

  /// Its groups in every hierarchy, a line each, as the caller's control group namespace shows them.
  public borrowing func controlGroups() throws(LinuxError) -> String {
    do throws(LinuxError) {
      return try File.readText("\(path)/cgroup")
    } catch {
      throw error.about("/proc/\(processID)/cgroup")
    }
  }

  /// The namespace of its main thread.
  public borrowing func networkNamespace() throws(LinuxError) -> NetworkNamespace {
    do throws(LinuxError) {
      return try NetworkNamespace.open(path: "\(path)/ns/net")
    } catch {
      throw error.about("/proc/\(processID)/ns/net")
    }
  }

  private var path: String { "/proc/self/fd/\(descriptor.number)" }
}
