import AgentProtocol
import Linux
import Logging
import MeshCompiler
import MeshModel
import Redirect

/// The owner of this node's pods: their namespaces, their listeners' copies, their redirection.
///
/// `PodEnrolment` decides; this carries out, and feeds back what came of it.
actor Enroller {
  /// What is held for one pod.
  struct Entry {
    var pod: DesiredPod
    var enrolment: PodEnrolment
    var namespace: PodNamespace?
    var watchToken: UInt64?
    /// By whom the namespace was found; nil when a manifest names it.
    var witness: PodWitness?
    /// When we heard of the CNI call that names its namespace; nil while none does.
    var calledAt: Instant?
    /// The cluster has the pod no more; its processes may live on.
    var isLeaving = false
    /// Whether the pod is to be looked at before ztunnel may act for it.
    var wantsInspection = false
    /// What spoke against it the last time its processes were seen.
    var doubt: SightingObjection?
    /// ztunnel's listeners, kept open so that its crash refuses no connection.
    var listeners: [SharedDescriptor] = []
    var isRedirectedByUs = false
    /// Tells a late answer about an earlier holder of the uid.
    let epoch: UInt64
    var proof: ProofRecord?
    /// Connections that are let live while the pod comes or goes.
    var living: LivingConnections?
    /// When a pod that waits for its connections waits no longer.
    var awaitedUntil: Instant?
    /// Set when the pod comes back under another namespace or workload.
    var successor: DesiredPod?

    /// Takes a new description; while the entry is on its way out it is the successor's.
    mutating func describe(as pod: DesiredPod) {
      if isOnItsWayOut { successor = pod } else { self.pod = pod }
    }

    var isOnItsWayOut: Bool {
      switch enrolment.state {
      case .releasing, .draining: true
      case .waiting, .listening, .proving, .enrolled, .closed, .failed: false
      }
    }
  }

  let redirection: Redirection
  let link: ZTunnelLink
  let addresses: AddressWatch
  /// Seen from the root of the hierarchy; empty until a ztunnel of somebody else's connects.
  private(set) var ztunnelCgroup = ""
  let namespaceSource: NamespaceSource
  let connectionSettings: ConnectionSettings
  var connectionCounters = LivingConnectionCounters()
  let nodeNamespaceInode: UInt64
  let logger = Logger(label: "enrolment")

  var entries: [String: Entry] = [:]
  /// Pods of this node that the mesh does not take care of, for status.
  private(set) var bystanders: [PodPlacement] = []
  private var epoch: UInt64 = 0
  private var isTunnelConnected = false
  private var hasPlan = false
  /// Pods that a ztunnel which connected before the first plan said it serves.
  private var servedBefore: [AgentProtocol.Pod] = []
  /// Pods whose redirection was found at the start and that no plan has named yet.
  private var adopted: [String: AdoptedPod] = [:]
  /// Pods that an earlier node agent was letting go, and until when.
  var draining: [String: Instant] = [:]
  var prober: Prober?
  var proberProblem: String?
  var proving = ProvingQueue()
  var canaries = CanaryReports()
  var dns = DNSSockets()
  var sightings = SightingQueue()
  let processes = ProcessRounds()
  private(set) var canariesPassed: UInt64 = 0
  private(set) var canaryFailures: UInt64 = 0

  init(
    redirection: consuming Redirection, link: ZTunnelLink, addresses: AddressWatch,
    ztunnelCgroup: ControlGroup?, namespaceSource: NamespaceSource = .annotations,
    connectionSettings: ConnectionSettings = ConnectionSettings()
  ) throws {
    self.link = link
    self.connectionSettings = connectionSettings
    self.namespaceSource = namespaceSource
    self.addresses = addresses
    nodeNamespaceInode = try NetworkNamespace.current().inode()
    for pod in try redirection.adopt() {
      adopted[pod.uid] = pod
      let passage = try redirection.passage(of: pod.uid)
      if passage.mode == .drain { draining[pod.uid] = passage.until }
    }
    if let ztunnelCgroup {
      self.ztunnelCgroup = try letOut(ztunnelCgroup, through: redirection, logger)
    }
    self.redirection = redirection
  }

  // MARK: The plan

  /// Brings the pods to what the manifests want.
  func reconcile(_ placements: [PodPlacement], node: String) {
    let departing = departing(besides: placements)
    let kept = Set(departing.map(\.uid))
    bystanders = placements.filter {
      $0.node == node && !$0.enrolment.isEnrolled && !kept.contains($0.uid)
    }
    let desired =
      desiredPods(of: placements, on: node) + departing + drainingStill(placements, on: node)
    let current = entries.compactMapValues { entry -> DesiredPod? in
      entry.isOnItsWayOut ? entry.successor : entry.pod
    }
    let plan = enrolmentPlan(
      desired: desired, current: current, namespaceSource: namespaceSource)
    for action in plan { carryOut(action) }
    guard !hasPlan else { return }
    hasPlan = true
    releaseAdopted(except: Set(desired.map(\.uid)))
    if isTunnelConnected { dismissStrangers(servedBefore) }
  }

  private func carryOut(_ action: EnrolmentAction) {
    switch action {
    case .begin(let pod):
      guard entries[pod.uid] == nil else {
        if takeBack(pod) { return }
        // The old one is still on its way out.
        entries[pod.uid]?.successor = pod
        handle(.drained, of: pod.uid)
        return
      }
      begin(pod)
    case .release(let uid):
      entries[uid]?.successor = nil
      letGo(uid)
    case .update(let pod):
      let formerPath = entries[pod.uid]?.pod.networkNamespace
      entries[pod.uid]?.describe(as: pod)
      if formerPath != pod.networkNamespace { followCall(of: pod.uid) }
      if entries[pod.uid]?.namespace == nil { handle(.start, of: pod.uid) }
      prove(pod.uid)
    case .replace(let pod):
      entries[pod.uid]?.successor = pod
      handle(.release, of: pod.uid)
    }
  }

  func begin(_ pod: DesiredPod) {
    epoch += 1
    let enrolment = PodEnrolment(isTunnelConnected: isTunnelConnected)
    entries[pod.uid] = Entry(pod: pod, enrolment: enrolment, epoch: epoch)
    followCall(of: pod.uid)
    if !hasPlan, isTunnelConnected {
      handle(.tunnelConnected(serves: isServed(pod, in: servedBefore)), of: pod.uid)
    }
    handle(.start, of: pod.uid)
  }

  private func releaseAdopted(except wanted: Set<String>) {
    for (uid, pod) in adopted where !wanted.contains(uid) {
      logger.info("releasing a pod that is no longer wanted", metadata: ["pod": "\(uid)"])
      releaseRedirection(of: uid, path: pod.namespacePath)
    }
    adopted = [:]
  }

  private func releaseRedirection(of uid: String, path: String?) {
    do throws(RedirectError) {
      if let path, let namespace = opened(path) {
        try redirection.release(uid, namespace: namespace.namespace)
      } else {
        try redirection.release(uid)
      }
    } catch {
      logger.error("the redirection stays", metadata: ["pod": "\(uid)", "error": "\(error)"])
    }
  }

  private func opened(_ path: String) -> PodNamespace? {
    do throws(LinuxError) {
      return try PodNamespace(path: path)
    } catch {
      if !error.isNotFound {
        logger.warning("namespace not opened", metadata: ["path": "\(path)", "error": "\(error)"])
      }
      return nil
    }
  }

  // MARK: ztunnel

  /// ztunnel runs in another control group from now on.
  func tunnelMoved(to group: ControlGroup) {
    do {
      ztunnelCgroup = try letOut(group, through: redirection, logger)
    } catch {
      // Its dials loop back to itself and fail: closed, and canaries say so.
      logger.error(
        "ztunnel's packets do not pass", metadata: ["cgroup": "\(group.path)", "error": "\(error)"])
    }
  }

  func tunnelConnected(_ hello: Hello) {
    isTunnelConnected = true
    guard hasPlan else {
      servedBefore = hello.pods
      return
    }
    dismissStrangers(hello.pods)
    for uid in entries.keys.sorted() {
      guard let entry = entries[uid] else { continue }
      handle(.tunnelConnected(serves: isServed(entry.pod, in: hello.pods)), of: uid)
    }
  }

  private func isServed(_ pod: DesiredPod, in pods: [AgentProtocol.Pod]) -> Bool {
    pods.contains { $0.uid == pod.uid && $0.workloadUID == pod.workloadUID }
  }

  /// Tells ztunnel to let go of pods that this node does not have, or has as another workload.
  private func dismissStrangers(_ pods: [AgentProtocol.Pod]) {
    for pod in pods where entries[pod.uid]?.pod.workloadUID != pod.workloadUID {
      link.send(.removePod(uid: pod.uid))
    }
    servedBefore = []
  }

  func tunnelLost() {
    isTunnelConnected = false
    servedBefore = []
    dns = DNSSockets()
    for uid in entries.keys.sorted() { handle(.tunnelLost, of: uid) }
  }

  func podListening(_ uid: String, _ listeners: [SharedDescriptor]) {
    guard entries[uid] != nil else { return }
    entries[uid]?.listeners = listeners
    handle(.listening, of: uid)
  }

  func podFailed(_ uid: String, reason: String) { handle(.tunnelFailed(reason: reason), of: uid) }

  func podRemoved(_ uid: String) { handle(.tunnelReleased, of: uid) }

  func canaryArrived(_ uid: String, nonce: UInt64) {
    canaries.arrived(nonce, in: uid)
  }

  // MARK: Time and the kernel

  func tick() {
    lookAtAllInTime(MonotonicClock.now())
    for uid in entries.keys.sorted() {
      lookForEnd(of: uid)
      followConnections(of: uid)
      drainAgain(uid)
      handle(.tick, of: uid)
    }
  }

  /// Notices that the pod's namespace is not the pod's any more.
  private func lookForEnd(of uid: String) {
    guard let entry = entries[uid] else { return }
    if case .draining = entry.enrolment.state {
      let isThere = entry.witness?.isThere ?? entry.namespace?.isThere ?? false
      if !isThere { handle(.namespaceGone, of: uid) }
    } else if let witness = entry.witness {
      if entry.isLeaving || !witness.isThere { look(at: uid) }
    } else if let namespace = entry.namespace {
      switch namespaceSource {
      case .annotations: if !namespace.isThere { handle(.namespaceGone, of: uid) }
      case .controlGroups:
        if entry.isLeaving || calledNamespace(of: entry.pod) != namespace.inode { look(at: uid) }
      }
    } else if entry.isLeaving {
      look(at: uid)
    }
  }

  func addressesChanged(_ uid: String) {
    guard let entry = entries[uid], let namespace = entry.namespace else { return }
    do {
      guard try namespace.hasChanged(), entry.isRedirectedByUs else { return }
      try redirection.follow(uid, namespace: namespace.namespace)
      prove(uid)
    } catch {
      handle(.redirectionFailed(reason: "\(error)"), of: uid)
    }
  }

  // MARK: Carrying out

  /// Feeds one event and everything that follows from it at once.
  func handle(_ event: PodEnrolment.Event, of uid: String) {
    var events = [event]
    while let event = events.popLast() {
      guard let before = entries[uid]?.enrolment.state else { return }
      let actions = entries[uid]?.enrolment.on(event, at: MonotonicClock.now()) ?? []
      if let entry = entries[uid], entry.enrolment.state != before { report(entry) }
      for action in actions {
        if let next = perform(action, on: uid) { events.append(next) }
      }
    }
  }

  private func report(_ entry: Entry) {
    let state = entry.enrolment.state
    var metadata: Logger.Metadata = ["pod": "\(entry.pod.title)", "state": "\(state.name)"]
    if let reason = state.reason { metadata["reason"] = "\(reason)" }
    switch state {
    case .closed, .failed: logger.warning("pod is not enrolled", metadata: metadata)
    case .enrolled: logger.info("pod is enrolled", metadata: metadata)
    case .draining(_, let until):
      metadata["until"] = "\(time(of: until, MonotonicClock.now()))"
      logger.info("pod is released, ztunnel's connections end as such", metadata: metadata)
    case .waiting, .listening, .proving, .releasing: logger.debug("pod", metadata: metadata)
    }
  }

  func countCanary(passed: Bool) {
    if passed { canariesPassed += 1 } else { canaryFailures += 1 }
  }
}

/// Lets the packets of ztunnel's control group out of the pods, and those of listeners it took over;
/// the group's path from the root of the hierarchy.
private func letOut(
  _ group: ControlGroup, through redirection: borrowing Redirection, _ logger: Logger
) throws -> String {
  try redirection.allowAgentCgroup(group.id)
  for id in outgrownGroups(of: try redirection.agentCgroups(), current: group.id) {
    logger.info("forgetting a cgroup of ztunnel's", metadata: ["id": "\(id)"])
    try redirection.forgetAgentCgroup(id)
  }
  return String(group.path.dropFirst(try ControlGroup.root().path.count))
}
