public import Linux
public import MeshModel

/// One node's redirection: which pods' connections the kernel hands to ztunnel.
///
/// In: pods, their namespaces and ztunnel's listeners. Out: programs, links and maps, all pinned under
/// `/sys/fs/bpf/skein/v1/<node>/`, and rules, routes and sysctls in the pods' namespaces. Never here:
/// policy, and any state of its own. The kernel and the pins are the only state, so a node agent that
/// starts again goes on where the last one was, and an enrolled pod stays closed while there is none.
public struct Redirection: ~Copyable, Sendable {
  public let node: String
  public let attachment: Attachment

  /// Mounts bpffs when needed, and makes or finds the maps all pods of the node share.
  ///
  /// Chooses tcx when the kernel has it and clsact otherwise, unless told.
  public init(node: String, attachment: Attachment? = nil) throws(RedirectError) {
    preconditionFailure("being written")
  }

  /// Brings the pod's redirection to what it should be: all of it, or nothing.
  ///
  /// Also for a pod that has pins already: completes what is missing and replaces old programs.
  /// Takes the pod's addresses and interfaces from the kernel, beside those the model gives it.
  public borrowing func enrol(
    _ pod: PodRedirection, namespace: borrowing NetworkNamespace, listeners: PodListeners
  ) throws(RedirectError) {
    preconditionFailure("being written")
  }

  /// Puts ztunnel's new listeners over the old ones; a connection in between goes to one or the other.
  public borrowing func updateListeners(
    of uid: String, to listeners: PodListeners
  ) throws(RedirectError) {
    preconditionFailure("being written")
  }

  /// Brings addresses and interfaces to what the namespace has now.
  ///
  /// To be called for each event of the address and link monitors.
  public borrowing func follow(
    _ uid: String, namespace: borrowing NetworkNamespace
  ) throws(RedirectError) {
    preconditionFailure("being written")
  }

  /// Takes the redirection away; the pod's traffic is its own again. Nothing happens when there is none.
  ///
  /// Nil when the namespace is gone: then only the pins are left to remove.
  public borrowing func release(
    _ uid: String, namespace: borrowing NetworkNamespace?
  ) throws(RedirectError) {
    preconditionFailure("being written")
  }

  /// Every pod that has pins; programs of another build are replaced in place, atomically.
  ///
  /// With clsact the replacement waits for `enrol`, which knows the namespace.
  public borrowing func adopt() throws(RedirectError) -> [AdoptedPod] {
    preconditionFailure("being written")
  }

  public borrowing func enrolledPods() throws(RedirectError) -> [String] {
    preconditionFailure("being written")
  }

  /// Lets packets of a cgroup's sockets leave pods: ztunnel's, before its first socket.
  ///
  /// A listener keeps the cgroup it was made in: an old id stays until its listeners are replaced.
  public borrowing func allowAgentCgroup(_ id: UInt64) throws(RedirectError) {
    preconditionFailure("being written")
  }

  public borrowing func forgetAgentCgroup(_ id: UInt64) throws(RedirectError) {
    preconditionFailure("being written")
  }

  public borrowing func agentCgroups() throws(RedirectError) -> Set<UInt64> {
    preconditionFailure("being written")
  }

  /// Lets connections of this cgroup's processes (the kubelet's) reach the applications untouched.
  ///
  /// In place of the cgroup given before; nil: of none.
  public borrowing func attachProbes(cgroupPath: String?) throws(RedirectError) {
    preconditionFailure("being written")
  }

  public borrowing func counters(of uid: String) throws(RedirectError) -> RedirectionCounters {
    preconditionFailure("being written")
  }

  public borrowing func facts(of uid: String) throws(RedirectError) -> PodFacts {
    preconditionFailure("being written")
  }

  /// What a namespace must agree with before a pod counts as proven.
  public borrowing func evidence(
    for pod: PodRedirection, namespace: borrowing NetworkNamespace
  ) throws(RedirectError) -> RedirectionEvidence {
    preconditionFailure("being written")
  }

  /// Releases every pod of the node and removes everything that is shared: after a drain or a crash.
  ///
  /// Namespaces are found by the path in the pins, under /run/netns, and by process. Answers what
  /// could not be undone, one line each; empty when nothing is left.
  public static func uninstall(node: String) throws(RedirectError) -> [String] {
    preconditionFailure("being written")
  }
}

/// Facts whose agreement proves that a pod's capture is in place and is this pod's.
public struct RedirectionEvidence: Hashable, Sendable {
  /// The namespace given now, and the one the pins were made for.
  public var namespaceInode: UInt64
  public var namespaceCookie: UInt64
  public var pinnedInode: UInt64
  public var pinnedCookie: UInt64
  /// What the kernel says the lookup program hangs on.
  public var lookupInode: UInt64
  /// Interfaces of the namespace without our egress program.
  public var openInterfaces: [String]
  /// Addresses the model gives the pod and the namespace lacks.
  public var missingAddresses: [IPAddress]
  /// Addresses of the namespace that the kernel's half does not know: ztunnel's dials would loop.
  public var unknownAddresses: [IPAddress]
  /// Empty slots of the sockmap that should hold a listener, counted.
  public var missingListeners: Int
  /// Rules, routes or sysctls that are not as they must be, each in words.
  public var missingSettings: [String]

  /// What disagrees, each in words; empty when capture is in place.
  public var objections: [String] {
    var objections: [String] = []
    if namespaceInode != pinnedInode || namespaceCookie != pinnedCookie {
      objections.append("the namespace is \(namespaceInode), the pins are for \(pinnedInode)")
    }
    if lookupInode != namespaceInode {
      objections.append("the lookup program hangs on namespace \(lookupInode)")
    }
    objections += openInterfaces.map { "interface \($0) has no egress program" }
    objections += missingAddresses.map { "address \($0) is on no interface" }
    objections += unknownAddresses.map { "address \($0) is not in local_addresses" }
    if missingListeners > 0 { objections.append("\(missingListeners) listeners are missing") }
    return objections + missingSettings
  }
}
