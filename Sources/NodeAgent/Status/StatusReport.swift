/// All that `node-agent status` tells, as JSON writes it; the keys are a promise to users.
struct StatusReport: Codable, Equatable, Sendable {
  var node: NodeStatus
  var redirect: RedirectStatus
  var ztunnel: ZTunnelStatus
  var model: ModelStatus
  /// Absent while the mesh comes from manifests.
  var controlPlane: ControlPlaneStatus?
  /// Absent while manifests say which pods are here.
  var cluster: ClusterStatus?
  /// Absent while no runtime asks us.
  var cni: CNIStatus?
  var signing = SigningStatus()
  var trust = TrustStatus()
  var pods: [PodStatus] = []
  var certificates: [CertificateStatus] = []
  var connections: [ConnectionStatus] = []
  var tunnels: [TunnelStatus] = []
  /// Newest first.
  var refusals: [RefusalStatus] = []
}

struct NodeStatus: Codable, Equatable, Sendable {
  var name: String
  var version: String
  var trustDomain: String
  var clusterDomain: String
  var processID: Int32
  var startedAt: String
  var uptimeSeconds: Double
  /// Empty when no pods are placed by manifests.
  var configDirectory: String
  var stateDirectory: String
  var isDraining: Bool
  var isHealthy: Bool
  /// One sentence for each thing that keeps the node from being healthy.
  var problems: [String]
}

struct RedirectStatus: Codable, Equatable, Sendable {
  /// How packets are captured: `tcx` or `clsact`.
  var attachment: String
  var pinDirectory: String
  var enrolledPods: Int
  /// Whether probes of the given cgroup pass untouched.
  var isProbeBypassActive: Bool
  var probeCgroup: String?
}

struct ZTunnelStatus: Codable, Equatable, Sendable {
  /// `running`, `starting`, `waiting` (for a restart) or `stopped`.
  var state: String
  var processID: Int32?
  var cgroup: String
  var isConnected: Bool
  /// True when the process was found alive by this node agent.
  var isAdopted: Bool
  var restarts: UInt64
  var lastExit: String?
  var generation: UInt64?
  var threads: UInt32?
  var pods: UInt32?
  var liveConnections: UInt64?
  var tunnelConnections: UInt64?
  var residentBytes: UInt64?
  var openDescriptors: UInt32?
}

struct ModelStatus: Codable, Equatable, Sendable {
  /// The last good generation, of manifests or of a control plane.
  var generation: UInt64
  /// The generation ztunnel enforces.
  var enforcedGeneration: UInt64
  /// From reading it, off disk or off the control plane's stream, to ztunnel enforcing it.
  var timeToEnforceMilliseconds: Double?
  var changedAt: String?
  var workloads: Int
  var services: Int
  var policies: Int
  /// True when the manifests on disk are refused and an older generation stays in force.
  var isStale: Bool
  var errors: Int
  /// Objects in force in a stricter form than written, such as a policy with HTTP fields.
  var refused: Int
  var warnings: Int
  var diagnostics: [DiagnosticStatus]
  /// Why ztunnel did not take the last generation.
  var rejection: String?
}

/// The stream that the mesh comes from.
struct ControlPlaneStatus: Codable, Equatable, Sendable {
  var address: String
  /// `connected`, `connecting` or `waiting`.
  var connection: String
  /// Since when it is so.
  var since: String
  /// When the next attempt comes, while it waits.
  var nextTryAt: String?
  var lastContactAt: String?
  /// True while the control plane has not confirmed what is served.
  var isStale: Bool
  var staleSince: String?
  /// True when what is served was read from disk and never confirmed since.
  var isRestored: Bool
  /// Why the last stream ended, or what else went wrong.
  var lastError: String?
  var messages: UInt64
  var rejectedCount: Int
  /// Resources not taken; the last good version of each stays in force.
  var rejected: [RejectedResourceStatus]
}

struct RejectedResourceStatus: Codable, Equatable, Sendable {
  var type: String
  var name: String
  var reason: String
}

/// The way from ztunnel's requests to certificates.
struct SigningStatus: Codable, Equatable, Sendable {
  /// The directory or the address of who signs.
  var authority = ""
  var waiting = 0
  var underWay = 0
  var issued: UInt64 = 0
  var refused: UInt64 = 0
  var failures: [SigningFailureStatus] = []
}

struct SigningFailureStatus: Codable, Equatable, Sendable {
  var identity: String
  var reason: String
  var at: String
  /// Failures in a row.
  var times: UInt64
  var nextTryAt: String?
}

struct DiagnosticStatus: Codable, Equatable, Sendable {
  var severity: String
  var code: String
  var file: String
  var document: Int
  var line: Int
  var object: String
  var field: String
  var message: String
}

struct PodStatus: Codable, Equatable, Sendable {
  var namespace: String
  var name: String
  var uid: String
  var workloadUID: String
  var identity: String
  var addresses: [String]
  var netns: String
  var netnsInode: UInt64?
  /// One of `PodState`'s names; `enrolled` only after a proof.
  var state: String
  /// Why the pod is not enrolled, or is closed.
  var reason: String?
  var proof: ProofStatus?
  var counters: [String: UInt64]
  /// Connections that are let live while the pod comes or goes; nil when there are none.
  var livingConnections: LivingConnectionStatus?
}

/// Connections that are not what the mesh makes of them, and until when.
struct LivingConnectionStatus: Codable, Equatable, Sendable {
  /// `awaited`: the pod is not enrolled before they end; `grandfathered`: of before its enrolment, in
  /// plaintext; `draining`: of ztunnel's, while the pod is released.
  var kind: String
  var count: Int
  /// When they are cut, or no longer waited for.
  var until: String
}

struct ProofStatus: Codable, Equatable, Sendable {
  var provenAt: String?
  var checkedAt: String
  /// `passed`, `not needed` or why it failed.
  var canaryIPv4: String
  var canaryIPv6: String
  var netnsInode: UInt64
  var netnsCookie: UInt64?
  /// Cgroups of the processes seen in the pod's namespace.
  var cgroups: [String]
  var addresses: [String]
  var failures: UInt64
}

struct CertificateStatus: Codable, Equatable, Sendable {
  var identity: String
  var serialNumber: String
  var notBefore: String
  var notAfter: String
  var renewal: String
  var state: String
  var roots: UInt32
}

struct ConnectionStatus: Codable, Equatable, Sendable {
  var id: String
  var direction: String
  var transport: String
  var pod: String
  var sourceWorkload: String
  var destinationWorkload: String
  var sourceIdentity: String?
  var destinationIdentity: String?
  var source: String
  var originalDestination: String
  var destination: String
  var service: String?
  var openedAt: String
  var durationMilliseconds: Int64
  /// Client to server.
  var receivedBytes: UInt64
  /// Server to client.
  var sentBytes: UInt64
}

struct TunnelStatus: Codable, Equatable, Sendable {
  var direction: String
  var pod: String
  var peer: String
  var peerIdentity: String?
  var localIdentity: String
  var liveStreams: UInt32
  var totalStreams: UInt64
  var ageMilliseconds: Int64
  var state: String
}

struct RefusalStatus: Codable, Equatable, Sendable {
  /// Sixteen hexadecimal digits, the same on both nodes; the latest one's of several.
  var id: String
  /// When the latest happened.
  var at: String
  var firstAt: String
  /// How many differ in nothing but time and the source's port.
  var count: UInt64
  var direction: String
  var generation: UInt64
  var sourceIdentity: String?
  var destinationIdentity: String?
  var source: String
  var destination: String
  /// `policy`, `peer`, or a response flag of a failure.
  var cause: String
  /// The policy that said no, as `namespace/name`.
  var policy: String?
  /// The rule of that policy that matched, counted from 0.
  var rule: Int?
  var nearest: NearMissStatus?
  /// Why, in one sentence.
  var reason: String
  var endedLiveConnection: Bool
}

/// The ALLOW rule that came closest, and the first field that missed.
struct NearMissStatus: Codable, Equatable, Sendable {
  var policy: String
  var rule: Int
  var field: String
  var expected: String
  var actual: String
}
