import CBPF
import Glibc
import Linux

/// The maps every pod of a node uses.
struct SharedMaps: ~Copyable, Sendable {
  let agentCgroups: OwnedDescriptor
  let probeFlows: OwnedDescriptor
  let enrolledNamespaces: OwnedDescriptor

  /// As in `bpf/maps.h`; also the names of their pins.
  static let names = ["agent_cgroups", "probe_flows", "enrolled_namespaces"]

  var byName: [(name: String, number: CInt)] {
    [
      ("agent_cgroups", agentCgroups.number), ("probe_flows", probeFlows.number),
      ("enrolled_namespaces", enrolledNamespaces.number),
    ]
  }

  /// Finds the pinned maps, and makes and pins those that are missing.
  static func findOrMake(in directory: PinDirectory) throws(RedirectError) -> SharedMaps {
    var missing: [String] = []
    for name in names where !File.exists(directory.sharedPin(name)) { missing.append(name) }
    if !missing.isEmpty {
      try directory.makeShared()
      // An object without its programs: only the maps are made.
      let object = try LoadedObject.load(.egress, programs: [], reusing: [])
      for name in missing {
        let map = try object.map(name)
        try replacePin(map.number, at: directory.sharedPin(name))
      }
    }
    return SharedMaps(
      agentCgroups: try BPFSystem.open(directory.sharedPin("agent_cgroups")),
      probeFlows: try BPFSystem.open(directory.sharedPin("probe_flows")),
      enrolledNamespaces: try BPFSystem.open(directory.sharedPin("enrolled_namespaces")))
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
  /// In place of the cgroup given before; nil: of none. Only what is connected from a namespace with
  /// this cookie is a probe, for a cgroup that holds pods as well; 0: from any.
  public borrowing func attachProbes(
    cgroupPath: String?, namespaceCookie: UInt64 = 0
  ) throws(RedirectError) {
    let pin = directory.sharedPin("probes")
    let old = try BPFSystem.openIfThere(pin)
    if let cgroupPath {
      let group: OwnedDescriptor
      do throws(LinuxError) {
        group = try ControlGroup(path: cgroupPath).openDirectory()
      } catch {
        throw .attach(hook: "sockops of cgroup \(cgroupPath)", error)
      }
      let object = try LoadedObject.load(
        .probes, programs: ["probes"], reusing: shared.byName, constant: namespaceCookie)
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

  /// Keeps enrolled pods from writing past tc; replaces an earlier build's program.
  ///
  /// False where the kernel has no such hook: `KernelFeatures` says what that means.
  static func attachGuard(
    _ directory: PinDirectory, _ shared: borrowing SharedMaps
  ) throws(RedirectError) -> Bool {
    guard FeatureProbe.packetGuard() == .works else { return false }
    let object = try LoadedObject.load(.packetGuard, programs: ["guard"], reusing: shared.byName)
    let program = try object.program("guard")
    let pin = directory.sharedPin("guard")
    if let link = try BPFSystem.openIfThere(pin) {
      try BPFSystem.update(link: link.number, to: program.number, hook: "setsockopt")
      return true
    }
    let root: OwnedDescriptor
    do throws(LinuxError) {
      root = try ControlGroup.root().openDirectory()
    } catch {
      throw .attach(hook: "setsockopt of the root cgroup", error)
    }
    let link = try BPFSystem.link(
      program: program.number, to: root.number, BPF_CGROUP_SETSOCKOPT,
      hook: "setsockopt of the root cgroup")
    try BPFSystem.pin(link.number, at: pin)
    return true
  }

  /// Nothing happens to a namespace without a cookie.
  borrowing func guardNamespace(_ cookie: UInt64, _ isEnrolled: Bool) throws(RedirectError) {
    guard cookie != 0 else { return }
    let namespaces = try namespaces()
    if isEnrolled { try namespaces.put(cookie, 1) } else { try namespaces.remove(cookie) }
  }

  /// Removes what the node's pods share.
  borrowing func removeEverythingShared() throws(RedirectError) {
    try attachProbes(cgroupPath: nil)
    let pin = directory.sharedPin("guard")
    if let link = try BPFSystem.openIfThere(pin) {
      try BPFSystem.detach(link: link.number, hook: "setsockopt")
      try removePin(pin)
    }
    for name in SharedMaps.names { try removePin(directory.sharedPin(name)) }
    try directory.remove()
  }

  private borrowing func namespaces() throws(RedirectError) -> BPFMap<UInt64, UInt8> {
    do throws(LinuxError) {
      return BPFMap("enrolled_namespaces", try shared.enrolledNamespaces.duplicate())
    } catch {
      throw .map(name: "enrolled_namespaces", error)
    }
  }

  private borrowing func cgroups() throws(RedirectError) -> BPFMap<UInt64, UInt8> {
    do throws(LinuxError) {
      return BPFMap("agent_cgroups", try shared.agentCgroups.duplicate())
    } catch {
      throw .map(name: "agent_cgroups", error)
    }
  }
}
