import Linux
import Logging
import Redirect

/// Whose connections reach applications untouched: the kubelet's.
enum ProberSetting: Hashable, Sendable {
  case cgroup(String)
  /// The process of this name in the node's own network namespace, wherever it runs; it is looked
  /// for again when it moves.
  case process(String)
}

/// A prober as it was found.
struct Prober: Hashable, Sendable {
  var processID: Int32
  var cgroup: ControlGroup

  /// Nil while there is none.
  static func find(_ name: String, in namespace: UInt64) throws(LinuxError) -> Prober? {
    for entry in try Directory.entries("/proc") {
      guard let processID = Int32(entry),
        let prober = try look(at: processID, for: name, in: namespace)
      else { continue }
      return prober
    }
    return nil
  }

  /// Whether it still is where it was.
  func isThere(_ name: String, in namespace: UInt64) throws(LinuxError) -> Bool {
    try Prober.look(at: processID, for: name, in: namespace) == self
  }

  private static func look(
    at processID: Int32, for name: String, in namespace: UInt64
  ) throws(LinuxError) -> Prober? {
    do throws(LinuxError) {
      let directory = try ProcessDirectory(processID: processID)
      guard try directory.name() == name,
        try directory.networkNamespace().inode() == namespace,
        // A pod's process may have any name, and a host-network pod is in the node's namespace.
        PodCgroup.uids(in: try directory.controlGroups()).isEmpty
      else { return nil }
      return Prober(processID: processID, cgroup: try ControlGroup.ofProcess(processID))
    } catch {
      if error.isGoneProcess { return nil }
      throw error
    }
  }
}

extension Enroller {
  /// Lets the connections of a prober that is known by its process through, wherever it goes.
  func followProber(_ setting: ProberSetting?) {
    guard case .process(let name)? = setting else { return }
    do {
      try follow(name)
      proberProblem = nil
    } catch {
      let problem = "\(error)"
      if problem != proberProblem {
        logger.error("probes do not pass", metadata: ["error": "\(problem)"])
      }
      proberProblem = problem
    }
  }

  private func follow(_ name: String) throws {
    if let prober, try prober.isThere(name, in: nodeNamespaceInode) { return }
    guard let found = try Prober.find(name, in: nodeNamespaceInode) else {
      throw ProberError.absent(name)
    }
    if found.cgroup != prober?.cgroup {
      try redirection.attachProbes(
        cgroupPath: found.cgroup.path,
        namespaceCookie: try NetworkNamespace.current().cookie())
      logger.info("the prober's connections pass", metadata: ["cgroup": "\(found.cgroup.path)"])
    }
    prober = found
  }
}

enum ProberError: Error, Hashable, CustomStringConvertible {
  case absent(String)

  var description: String {
    switch self {
    case .absent(let name):
      "no process \(name) in the node's network namespace: run the node agent with the host's "
        + "processes and network (hostPID, hostNetwork), or name it with --probe-process"
    }
  }
}
