public import Linux
public import MeshModel

/// One node's redirection: which pods' connections the kernel hands to ztunnel.
///
/// In: pods, their namespaces and ztunnel's listeners. Out: programs, links and maps, all pinned under
/// `/sys/fs/bpf/skein/v3/<node>/`, and rules, routes and sysctls in the pods' namespaces. Never here:
/// policy, and any state of its own. The kernel and the pins are the only state, so a node agent that
/// starts again goes on where the last one was, and an enrolled pod stays closed while there is none.
///
/// One owner at a time: two values for one node would undo each other's steps.
public struct Redirection: ~Copyable, Sendable {
  public let node: String
  public let attachment: EgressHook
  /// Whether enrolled pods are kept from writing past the egress program; false on old kernels.
  public let isGuarded: Bool
  let directory: PinDirectory
  let shared: SharedMaps

  /// Mounts bpffs when needed, and makes or finds the maps all pods of the node share.
  ///
  /// Chooses tcx when the kernel has it and clsact otherwise, unless told.
  public init(node: String, attachment: EgressHook? = nil) throws(RedirectError) {
    let directory = try PinDirectory(node: node)
    try PinDirectory.mount()
    let shared = try SharedMaps.findOrMake(in: directory)
    isGuarded = try Redirection.attachGuard(directory, shared)
    self.shared = shared
    self.directory = directory
    self.node = node
    self.attachment = attachment ?? (FeatureProbe.tcx() == .works ? .tcx : .clsact)
  }

  /// Brings the pod's redirection to what it should be: all of it, or nothing.
  ///
  /// Also for a pod that has pins already: completes what is missing and replaces old programs.
  /// Takes the pod's addresses and interfaces from the kernel, beside those the model gives it.
  /// Without listeners those in place stay; a pod that has none is closed.
  ///
  /// - deadline: until when the connections that the pod has now may go on; nil: they are cut. A pod
  ///   that is captured already keeps what it was given.
  public borrowing func enrol(
    _ pod: PodRedirection, namespace: borrowing NetworkNamespace, listeners: PodListeners?,
    keepingUntil deadline: Instant? = nil
  ) throws(RedirectError) {
    try bring(pod, namespace, listeners, room: deadline != nil) { desired, current in
      RedirectionPlan.enrolling(desired, from: current, keepingUntil: deadline)
    }
  }

  /// Has ztunnel take tunnels for the pod while all its other connections are its own.
  ///
  /// For a pod that is to be enrolled later, when it has no connections. It is not captured.
  public borrowing func open(
    _ pod: PodRedirection, namespace: borrowing NetworkNamespace, listeners: PodListeners,
    until: Instant
  ) throws(RedirectError) {
    try bring(pod, namespace, listeners, room: false) { desired, current in
      RedirectionPlan.opening(desired, from: current, until: until)
    }
  }

  /// Carries out what `plan` makes of the pod as it is.
  private borrowing func bring(
    _ pod: PodRedirection, _ namespace: borrowing NetworkNamespace, _ listeners: PodListeners?,
    room: Bool, by plan: (DesiredRedirection, CurrentRedirection?) -> [RedirectionChange]
  ) throws(RedirectError) {
    let pins = try directory.pod(pod.uid)
    let identity = try NamespaceIdentity(of: namespace)
    guard try identity != NamespaceIdentity.own() else { throw .ownNamespace(uid: pod.uid) }
    let number = namespace.number
    try inside(namespace) { () throws(RedirectError) in
      let network = try PodNamespace()
      let desired = try network.desired(for: pod.addresses)
      try require(pod, has: desired.addresses)
      guard let kernel = try PodKernel.open(pins) else {
        let facts = StoredFacts(
          namespaceInode: identity.inode, namespaceCookie: identity.cookie,
          namespacePath: pod.namespacePath, attachment: attachment,
          fingerprint: EmbeddedObject.fingerprint)
        let count = try room ? connectionCount(desired.addresses, network) : nil
        return try enrolAnew(
          pins, facts, plan(desired, nil), network, namespace: number, listeners: listeners,
          room: count.map(PodKernel.room) ?? 1)
      }
      try kernel.require(identity)
      try kernel.change { $0.namespacePath = pod.namespacePath }
      let changes = plan(desired, try kernel.current(desired.interfaces))
      guard changes.contains(.recordConnections) else {
        return try carryOut(changes, on: kernel, network, namespace: number, listeners: listeners)
      }
      let count = try connectionCount(desired.addresses, network)
      try carryOut(
        changes, on: try makeRoom(for: count, in: kernel), network, namespace: number,
        listeners: listeners)
    }
  }

  /// Puts ztunnel's new listeners over the old ones; a connection in between goes to one or the other.
  public borrowing func updateListeners(
    of uid: String, to listeners: PodListeners
  ) throws(RedirectError) {
    try kernel(of: uid).put(listeners)
  }

  /// Gives the pod's DNS queries over UDP to ztunnel, for as long as it holds these sockets.
  ///
  /// Close the copies when this returns.
  public borrowing func updateDNS(
    of uid: String, to sockets: PodDNSSockets
  ) throws(RedirectError) {
    try kernel(of: uid).put(sockets)
  }

  /// Lets the pod's queries go to the resolvers they are for.
  public borrowing func removeDNS(of uid: String) throws(RedirectError) {
    try kernel(of: uid).removeDNSSockets()
  }

  /// Brings addresses and interfaces to what the namespace has now.
  ///
  /// To be called for each event of the address and link monitors.
  public borrowing func follow(
    _ uid: String, namespace: borrowing NetworkNamespace
  ) throws(RedirectError) {
    let kernel = try kernel(of: uid)
    try kernel.require(NamespaceIdentity(of: namespace))
    let number = namespace.number
    try inside(namespace) { () throws(RedirectError) in
      let network = try PodNamespace()
      let desired = try network.desired(for: [])
      let plan = RedirectionPlan.following(desired, from: try kernel.current(desired.interfaces))
      try carryOut(plan, on: kernel, network, namespace: number, listeners: nil)
    }
  }

  /// Takes the redirection away, if there is one; the pod's traffic is its own again.
  public borrowing func release(
    _ uid: String, namespace: borrowing NetworkNamespace
  ) throws(RedirectError) {
    guard let kernel = try remainingKernel(of: uid) else { return }
    try kernel.require(NamespaceIdentity(of: namespace))
    try inside(namespace) { () throws(RedirectError) in
      let network = try PodNamespace()
      let current = CurrentRedirection(hasLookup: try kernel.hasLookup())
      for change in RedirectionPlan.releasing(current, hasNamespace: true) {
        try takeAway(change, from: kernel, network)
      }
    }
  }

  /// The same for a caller without the namespace.
  ///
  /// It is sought by the path in the pins, by name and by process. When it is gone, only the pins are
  /// left to remove.
  public borrowing func release(_ uid: String) throws(RedirectError) {
    guard let kernel = try remainingKernel(of: uid) else { return }
    let facts = try kernel.facts()
    if let namespace = try NamespaceSearch.find(
      inode: facts.namespaceInode, cookie: facts.namespaceCookie, path: facts.namespacePath)
    {
      try release(uid, namespace: namespace)
      return
    }
    let current = CurrentRedirection(hasLookup: try kernel.hasLookup())
    for change in RedirectionPlan.releasing(current, hasNamespace: false) {
      try takeAway(change, from: kernel, nil)
    }
  }

  /// Every pod that has pins; programs of another build are replaced in place, atomically.
  ///
  /// With clsact the replacement waits for `enrol`, which knows the namespace.
  public borrowing func adopt() throws(RedirectError) -> [AdoptedPod] {
    var adopted: [AdoptedPod] = []
    for uid in try directory.pods() {
      let pins = try directory.pod(uid)
      guard let kernel = try PodKernel.open(pins) else {
        // Nothing was attached yet when it was cut short.
        try pins.remove()
        continue
      }
      let facts = try kernel.facts()
      var isUpdated = false
      if facts.fingerprint != EmbeddedObject.fingerprint {
        isUpdated = try kernel.replacePrograms(shared: shared, isInNamespace: false)
      }
      adopted.append(
        AdoptedPod(
          uid: uid, namespaceInode: facts.namespaceInode, namespaceCookie: facts.namespaceCookie,
          namespacePath: facts.namespacePath, attachment: facts.attachment,
          isComplete: facts.isComplete, isUpdated: isUpdated))
    }
    return adopted
  }

  /// Whether the pod has a redirection, complete or cut short.
  public borrowing func isEnrolled(_ uid: String) throws(RedirectError) -> Bool {
    try PodKernel.open(try directory.pod(uid)) != nil
  }

  /// The addresses that the model gives the pod and no interface of the namespace has.
  public borrowing func missingAddresses(
    of pod: PodRedirection, namespace: borrowing NetworkNamespace
  ) throws(RedirectError) -> [IPAddress] {
    try inside(namespace) { () throws(RedirectError) in
      let addresses = try PodNamespace().addresses().map(\.address)
      return pod.addresses.filter { !addresses.contains($0) }
    }
  }

  public borrowing func enrolledPods() throws(RedirectError) -> [String] {
    try directory.pods()
  }

  borrowing func kernel(of uid: String) throws(RedirectError) -> PodKernel {
    guard let kernel = try PodKernel.open(try directory.pod(uid)) else {
      throw .notEnrolled(uid: uid)
    }
    return kernel
  }

  /// Nil when nothing was attached; what a crash left of a directory is removed then.
  private borrowing func remainingKernel(of uid: String) throws(RedirectError) -> PodKernel? {
    let pins = try directory.pod(uid)
    if let kernel = try PodKernel.open(pins) { return kernel }
    if pins.exists { try pins.remove() }
    return nil
  }

  private func require(
    _ pod: PodRedirection, has addresses: Set<IPAddress>
  ) throws(RedirectError) {
    if let missing = pod.addresses.first(where: { !addresses.contains($0) }) {
      throw .addressMissing(uid: pod.uid, address: "\(missing)")
    }
    guard addresses.count <= RedirectLimit.addressesPerPod else {
      throw .tooMany(
        what: "addresses of \(pod.uid)", count: addresses.count,
        limit: RedirectLimit.addressesPerPod)
    }
  }
}

/// Runs `body` with the calling thread in the namespace.
func inside<Result: ~Copyable>(
  _ namespace: borrowing NetworkNamespace, _ body: () throws(RedirectError) -> Result
) throws(RedirectError) -> Result {
  let outcome: Swift.Result<Result, RedirectError>
  do throws(LinuxError) {
    outcome = try namespace.perform(body)
  } catch {
    throw .namespace(step: "enter the pod's namespace", error)
  }
  return try outcome.get()
}
