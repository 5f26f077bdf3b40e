import Linux
import MeshModel

/// A pod's network namespace as this node agent holds it; dropping it lets the namespace end.
final class PodNamespace: Sendable {
  let namespace: NetworkNamespace
  let path: String
  let inode: UInt64
  let cookie: UInt64
  private let monitor: AddressMonitor

  convenience init(path: String) throws(LinuxError) {
    try self.init(try NetworkNamespace.open(path: path), path: path)
  }

  /// That of a pod's process, which the path names for people.
  convenience init(_ witness: PodWitness) throws(LinuxError) {
    try self.init(try witness.namespace(), path: "/proc/\(witness.processID)/ns/net")
  }

  private init(_ namespace: consuming NetworkNamespace, path: String) throws(LinuxError) {
    self.path = path
    self.namespace = namespace
    inode = try self.namespace.inode()
    cookie = try self.namespace.cookie()
    monitor = try AddressMonitor(in: self.namespace)
  }

  /// A descriptor for ztunnel.
  func descriptor() throws(LinuxError) -> SharedDescriptor {
    SharedDescriptor(try namespace.descriptor.duplicate())
  }

  /// Whether the path still leads to this namespace.
  var isThere: Bool {
    do throws(LinuxError) {
      return try NetworkNamespace.open(path: path).inode() == inode
    } catch {
      return false
    }
  }

  /// Readable when addresses or interfaces changed.
  var monitorNumber: CInt { monitor.number }

  /// Whether addresses or interfaces changed since the last call.
  func hasChanged() throws(LinuxError) -> Bool {
    switch try monitor.read() {
    case .events(let events): !events.isEmpty
    case .overrun: true
    }
  }
}
