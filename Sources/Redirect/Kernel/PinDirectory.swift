import Glibc
import Linux

/// Where the pins of one node are.
///
///     /sys/fs/bpf/skein/v3/<node>/+shared/{agent_cgroups,probe_flows,
///                                          enrolled_namespaces,probes,guard}
///     /sys/fs/bpf/skein/v3/<node>/<pod>/{listeners,dns_sockets,local_addresses,
///                                        counters,passage,kept,facts}                maps
///     /sys/fs/bpf/skein/v3/<node>/<pod>/{lookup,egress,egress_bare}                  programs
///     /sys/fs/bpf/skein/v3/<node>/<pod>/{lookup_link,egress_link_<id>…}              links
struct PinDirectory: Hashable, Sendable {
  static let root = "\(RedirectConstants.bpfFileSystem)/skein"
  static let versioned = "\(root)/v\(RedirectConstants.abiVersion)"

  let nodePath: String

  init(node: String) throws(RedirectError) {
    guard let name = PinName(node) else { throw .nameTooLong(node) }
    nodePath = "\(PinDirectory.versioned)/\(name.component)"
  }

  var shared: String { "\(nodePath)/\(PinName.shared.component)" }

  func sharedPin(_ name: String) -> String { "\(shared)/\(name)" }

  func pod(_ uid: String) throws(RedirectError) -> PodPins {
    guard let name = PinName(uid) else { throw .nameTooLong(uid) }
    return PodPins(uid: uid, path: "\(nodePath)/\(name.component)")
  }

  /// The UIDs that have a directory.
  func pods() throws(RedirectError) -> [String] {
    try entries(of: nodePath).compactMap(PinName.name(of:))
  }

  /// Mounts bpffs when it is not there.
  static func mount() throws(RedirectError) {
    do throws(LinuxError) {
      try BPFFileSystem.mount(at: RedirectConstants.bpfFileSystem)
    } catch {
      throw .noBPFFileSystem(path: RedirectConstants.bpfFileSystem, error)
    }
  }

  func makeShared() throws(RedirectError) { try makeDirectories(shared) }

  /// Removes the node's directory, and those above it that are empty then.
  func remove() throws(RedirectError) {
    try removeDirectory(shared)
    try removeDirectory(nodePath)
    for path in [PinDirectory.versioned, PinDirectory.root] where try entries(of: path).isEmpty {
      try removeDirectory(path)
    }
  }
}

/// The pins of one pod.
struct PodPins: Hashable, Sendable {
  static let egressLinkPrefix = "egress_link_"

  let uid: String
  let path: String

  var exists: Bool { Directory.exists(path) }
  var listeners: String { "\(path)/listeners" }
  var dnsSockets: String { "\(path)/dns_sockets" }
  var addresses: String { "\(path)/local_addresses" }
  var counters: String { "\(path)/counters" }
  var passage: String { "\(path)/passage" }
  var kept: String { "\(path)/kept" }
  var facts: String { "\(path)/facts" }
  var lookupLink: String { "\(path)/lookup_link" }

  func program(_ name: String) -> String { "\(path)/\(name)" }
  func egressLink(id: UInt32) -> String { "\(path)/\(PodPins.egressLinkPrefix)\(id)" }

  func egressLinks() throws(RedirectError) -> [String] {
    try entries(of: path).filter { $0.hasPrefix(PodPins.egressLinkPrefix) }.map { "\(path)/\($0)" }
  }

  func make() throws(RedirectError) { try makeDirectories(path) }

  /// Removes every pin and the directory; a link without another owner is gone then.
  func remove() throws(RedirectError) {
    for name in try entries(of: path) { try removePin("\(path)/\(name)") }
    try removeDirectory(path)
  }
}

/// Empty when there is no such directory.
func entries(of path: String) throws(RedirectError) -> [String] {
  do throws(LinuxError) {
    return try Directory.entries(path)
  } catch {
    if error.isNotFound { return [] }
    throw .pin(path: path, error)
  }
}

func removePin(_ path: String) throws(RedirectError) {
  do throws(LinuxError) {
    try File.remove(path)
  } catch {
    throw .pin(path: path, error)
  }
}

/// Pins over whatever is at `path`; a reader finds the old or the new.
func replacePin(_ number: CInt, at path: String) throws(RedirectError) {
  let beside = "\(path)_new"
  try removePin(beside)
  try BPFSystem.pin(number, at: beside)
  guard unsafe rename(beside, path) == 0 else {
    throw .pin(path: path, LinuxError(call: "rename", errno: errno))
  }
}

private func makeDirectories(_ path: String) throws(RedirectError) {
  do throws(LinuxError) {
    try Directory.makeAll(path, mode: 0o700)
  } catch {
    throw .pin(path: path, error)
  }
}

private func removeDirectory(_ path: String) throws(RedirectError) {
  do throws(LinuxError) {
    try Directory.remove(path)
  } catch {
    throw .pin(path: path, error)
  }
}
