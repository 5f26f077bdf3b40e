/// Every bound and interval of the node agent, by name.
enum Limit {
  /// Refusals of each of five kinds kept for `status refusals`, equal ones counted as one; the
  /// least recent goes first.
  static let refusalsKeptOfEachKind = 200
  /// Label sets of one metric family; what comes after is summed under `unknown`.
  static let metricLabelSets = 2_000
  /// Bytes of a label value; longer ones are cut.
  static let labelValueBytes = 256
  /// Diagnostics shown in status; the count is always told.
  static let diagnosticsShown = 100

  /// A number that no count of generations reaches.
  static let generationsCounted: UInt64 = 1 << 62
  /// Generations sent and not yet enforced whose time is kept.
  static let generationsPending = 256

  /// How often an enrolled pod proves its capture again.
  static let canaryInterval: Duration = .seconds(30)
  /// How long one canary connection may take, each address family.
  static let canaryTimeout: Duration = .seconds(2)
  /// How long ztunnel's report of a canary may come after its answer.
  static let canaryReportWait: Duration = .seconds(1)
  /// How long a failed enrolment waits before the next try.
  static let enrolmentRetry: Duration = .seconds(2)
  /// The first wait for a pod that has no process yet, doubled each time.
  static let absenceRetryFirst: Duration = .milliseconds(250)
  static let absenceRetryMost: Duration = .seconds(8)
  /// How often the processes of all enrolled pods are looked at.
  static let sightingInterval: Duration = .seconds(5)
  /// How long something seen of a pod's processes has to last before it counts against the pod.
  static let sightingDoubt: Duration = .milliseconds(250)
  /// How long ztunnel may take to listen in a pod before the pod says so.
  static let listeningWait: Duration = .seconds(5)
  /// How long ztunnel may take to let go of a pod before the pod is released all the same.
  static let releaseWait: Duration = .seconds(2)
  /// How often connections that are let live are counted.
  static let livingConnectionsCheck: Duration = .seconds(1)
  /// How long ztunnel serves a pod at least that is released: until the other nodes know of it.
  static let drainLeast: Duration = .seconds(5)
  /// Canaries that run side by side.
  static let canariesAtOnce = 8
  /// The first wait for the next stream to the control plane, doubled by each that fails.
  static let discoveryRetryFirst: Duration = .milliseconds(200)
  static let discoveryRetryMost: Duration = .seconds(15)
  /// A stream that was in step for so long makes the next wait the first again.
  static let discoveryProven: Duration = .seconds(10)
  /// How long the control plane may take to answer the first requests of a stream, all of them.
  static let discoveryFirstAnswers: Duration = .seconds(60)
  /// Bytes of names and versions that every server takes in a request: of gRPC's own limit, 4 MiB, a part.
  static let discoverySureClaim = 1 << 20
  /// How long a stream is in step before what it did not confirm is dropped.
  static let discoveryConfirmation: Duration = .seconds(30)
  /// The shortest and the longest rest between messages; see `Discovery.rest`.
  static let discoveryRestLeast: Duration = .milliseconds(50)
  static let discoveryRestMost: Duration = .seconds(1)
  /// Rejected resources of one message that are logged.
  static let rejectedResourcesLogged = 20
  /// How long it may take to take a request off our hands.
  static let discoverySend: Duration = .seconds(30)
  /// Type URLs that messages are counted by.
  static let discoveryTypesCounted = 8
  /// Rejected resources that are told by name.
  static let rejectedResourcesShown = 100
  /// How long a changed state waits for others before it is written to disk.
  static let discoverySaveDelay: Duration = .seconds(1)
  /// How long a ztunnel that serves keeps what it was told before a state read from disk replaces it.
  static let unconfirmedHold: Duration = .seconds(10)
  /// How often the time of the last contact is written to disk.
  static let contactSaveInterval: Duration = .seconds(10)
  /// Bytes of a kept state.
  static let discoveryFileBytes = 512 * 1_024 * 1_024
  /// How often the certificate authority's files are looked at.
  static let authorityCheckInterval: Duration = .seconds(2)
  /// How long the cluster may take to say at the end whether our DaemonSet goes away.
  static let installationAnswer: Duration = .seconds(5)
  /// How often the namespaces of enrolled pods are checked for being gone.
  static let namespaceCheckInterval: Duration = .milliseconds(500)

  /// How long a killed node agent may take to let go of its state directory.
  static let lockWait: Duration = .seconds(1)
  /// How long a living ztunnel may take to call a new node agent.
  static let adoptionWait: Duration = .seconds(2)
  /// How long ztunnel may take to answer an inspection.
  static let inspectionWait: Duration = .seconds(2)
  /// How long ztunnel may take to end after SIGTERM before it is killed.
  static let ztunnelStopWait: Duration = .seconds(2)
  /// How long a cgroup's last processes may take to be gone.
  static let cgroupRemovalWait: Duration = .seconds(2)
  /// Control groups of earlier ztunnels whose listeners still accept; the kernel's set holds 64.
  static let earlierTunnelGroups = 60
  /// How long ztunnel may take beyond the drain time to say it is drained.
  static let drainGrace: Duration = .seconds(2)
  /// Messages waiting to be written to ztunnel; a ztunnel that reads none is cut off.
  static let messagesToZTunnel = 65_536
  /// Events from ztunnel waiting to be handled, beyond which its socket is not read.
  static let eventsUnhandled = 4_096
  /// Records of ended connections handled together.
  static let recordsPerEvent = 256
  /// Crashes inside `crashWindow` that restart at once.
  static let crashesWithoutDelay = 3
  static let crashWindow: Duration = .seconds(10)
  static let restartDelayFirst: Duration = .milliseconds(200)
  static let restartDelayMost: Duration = .seconds(10)

  /// Bytes of a status answer the command line accepts.
  static let statusBytes = 256 * 1_024 * 1_024
  /// How long the command line waits for an answer of the node agent.
  static let adminTimeout: Duration = .seconds(10)

  /// Calls of the CNI plugin under way; those beyond are turned away, and the plugin decides.
  static let callsAtOnce = 256
  /// How long the plugin may take to send its request, and to take its answer.
  static let callTransfer: Duration = .seconds(5)
  /// How long an answer may take for a pod of a namespace the plugin knows to be enrolled; it waits
  /// `CNI.Limit.enrolledWait`.
  static let enrolledPodWait: Duration = .seconds(25)
  /// For any other pod; the plugin waits `CNI.Limit.otherWait` and then lets it start.
  static let otherPodWait: Duration = .seconds(2)
  /// How often a pod that is waited for is looked at.
  static let calledPodCheck: Duration = .milliseconds(20)
  /// How long a call counts for a pod of a cluster of which no process is seen.
  static let callTrust: Duration = .seconds(120)
  /// Pods whose calls are remembered.
  static let calledPods = 1_024
  /// Bytes of the plugin's program.
  static let pluginBytes = 64 << 20
  /// Files of networks that are looked at; a folder with more is left alone.
  static let networkFiles = 256
}
