import CBPF
import Glibc
import Linux

/// The maps every pod of a node uses.
struct SharedMaps: ~Copyable, Sendable {
  let agentCgroups: OwnedDescriptor
  let probeFlows: OwnedDescriptor

  /// By the names of `bpf/maps.h`.
  var byName: [(name: String, number: CInt)] {
    [("agent_cgroups", agentCgroups.number), ("probe_flows", probeFlows.number)]
  }

  /// Finds the pinned maps, or makes and pins them.
  static func findOrMake(in directory: PinDirectory) throws(RedirectError) -> SharedMaps {
    let cgroupsPath = "\(directory.shared)/agent_cgroups"
    let flowsPath = "\(directory.shared)/probe_flows"
    if let cgroups = try BPFSystem.openIfThere(cgroupsPath),
      let flows = try BPFSystem.openIfThere(flowsPath)
    {
      return SharedMaps(agentCgroups: cgroups, probeFlows: flows)
    }
    try directory.makeShared()
    // An object without its programs: only the maps are made.
    let object = try LoadedObject.load(.egress, programs: [], reusing: [])
    let maps = SharedMaps(
      agentCgroups: try object.map("agent_cgroups"), probeFlows: try object.map("probe_flows"))
    // The second one last: both there is the sign of a whole set.
    try replacePin(maps.agentCgroups.number, at: cgroupsPath)
    try replacePin(maps.probeFlows.number, at: flowsPath)
    return maps
  }
}

extension Redirection {
  /// Lets packets of a cgroup's sockets leave pods: ztunnel's, before its first socket.
  ///
  /// A listener keeps the cgroup it was made in: an old id stays until its listeners are replaced.
  public borrowing func allowAgentCgroup(_ id: UInt64) throws(RedirectError) {
    try cgroups().put(id, 1)
  }

  public borrowing func forgetAgentCgroup(_ id: UInt64) throws(RedirectError) {
    try cgroups().remove(id)
  }

  public borrowing func agentCgroups() throws(RedirectError) -> Set<UInt64> {
    Set(try cgroups().keys(like: 0, limit: RedirectLimit.agentCgroups))
  }

  /// Lets connections of this cgroup's processes (the kubelet's) reach the applications untouched.
  ///
  /// In place of the cgroup given before; nil: of none.
  public borrowing func attachProbes(cgroupPath: String?) throws(RedirectError) {
    let pin = "\(directory.shared)/probes"
    let old = try BPFSystem.openIfThere(pin)
    if let cgroupPath {
      let group: OwnedDescriptor
      do throws(LinuxError) {
        group = try ControlGroup(path: cgroupPath).openDirectory()
      } catch {
        throw .attach(hook: "sockops of cgroup \(cgroupPath)", error)
      }
      let object = try LoadedObject.load(.probes, programs: ["probes"], reusing: shared.byName)
      let program = try object.program("probes")
      let link = try BPFSystem.link(
        program: program.number, to: group.number, BPF_CGROUP_SOCK_OPS,
        hook: "sockops of cgroup \(cgroupPath)")
      // Both for a moment: they write the same flows.
      try replacePin(link.number, at: pin)
    } else {
      try removePin(pin)
    }
    if let old { try BPFSystem.detach(link: old.number, hook: "sockops") }
  }

  private borrowing func cgroups() throws(RedirectError) -> BPFMap<UInt64, UInt8> {
    do throws(LinuxError) {
      return BPFMap("agent_cgroups", try shared.agentCgroups.duplicate())
    } catch {
      throw .map(name: "agent_cgroups", error)
    }
  }
}
