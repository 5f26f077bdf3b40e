public import MeshModel

public enum Direction: UInt8, Hashable, Sendable {
  case inbound = 0
  case outbound = 1
}

/// How the bytes travel between the two nodes, or why they need not.
public enum Transport: UInt8, Hashable, Sendable {
  case passthrough = 0
  case hbone = 1
  /// Both ends on this node: the kernel proves the identity, no TLS.
  case local = 2
  /// Plain TCP from or to a workload outside the mesh.
  case plaintext = 3
  /// A tunnel to the waypoint in front of the destination.
  case waypoint = 4
  /// A tunnel to the entry of another network, and in it one to the far end.
  case doubleHBONE = 5
}

/// Istio's response flags; `none` is written `-`.
public enum ResponseFlag: String, CaseIterable, Hashable, Sendable {
  case none = "-"
  case denied = "DENY"
  case connect = "CONNECT"
  case tlsFailure = "TLS_FAILURE"
  case http2Failure = "H2_HANDSHAKE_FAILURE"
  case networkPolicy = "NETWORK_POLICY"
  case identity = "IDENTITY_ERROR"
  case revoked = "CERT_REVOKED"
}

/// One connection as one side sees it: live in an inspection, final in a close record.
public struct ConnectionRecord: Hashable, Sendable {
  public var id: UInt64
  public var direction: Direction
  public var transport: Transport
  /// Uid of the pod on this node that the record speaks for.
  public var podUID: String
  public var sourceWorkload: String
  public var destinationWorkload: String
  public var sourceIdentity: SPIFFEID?
  public var destinationIdentity: SPIFFEID?
  public var source: SocketAddress
  /// What the application dialled.
  public var originalDestination: SocketAddress
  /// What was dialled for it.
  public var destination: SocketAddress
  public var service: ServiceKey?
  public var opened: WallTime
  /// From open to now, or to the close.
  public var duration: Duration
  /// From client to server, on both sides.
  public var receivedBytes: UInt64
  /// From server to client, on both sides.
  public var sentBytes: UInt64
  public var flag: ResponseFlag
  /// Why it ended, for an operator; empty while live and on a clean end.
  public var reason: String
  /// Dry-run policies that would have answered otherwise.
  public var dryRunMatches: [DryRunMatch]

  public init(id: UInt64, direction: Direction, source: SocketAddress, opened: WallTime) {
    self.id = id
    self.direction = direction
    transport = .passthrough
    podUID = ""
    sourceWorkload = ""
    destinationWorkload = ""
    sourceIdentity = nil
    destinationIdentity = nil
    self.source = source
    originalDestination = source
    destination = source
    service = nil
    self.opened = opened
    duration = .zero
    receivedBytes = 0
    sentBytes = 0
    flag = .none
    reason = ""
    dryRunMatches = []
  }
}

/// A connection that was not allowed, recorded under one id on both nodes.
public struct Refusal: Hashable, Sendable {
  /// Random, the same at both ends; written as 16 hexadecimal digits.
  public var id: UInt64
  public var direction: Direction
  public var at: WallTime
  public var generation: UInt64
  public var sourceIdentity: SPIFFEID?
  public var destinationIdentity: SPIFFEID?
  public var source: SocketAddress
  public var destination: SocketAddress
  public var cause: Cause
  /// True when a live connection was cut because something changed.
  public var endedLiveConnection: Bool
  /// Uid of the pod on this node that the record speaks for; empty when none is known.
  public var podUID: String

  public enum Cause: Hashable, Sendable {
    /// This side's policy said no.
    case policy(Verdict.Denial)
    /// The other side refused and told us why, in its words.
    case peer(status: UInt16, reason: String)
    /// No policy was asked: TLS, identity, routing or a dial failed closed.
    case failure(flag: ResponseFlag, reason: String)
  }

  public init(
    id: UInt64, direction: Direction, at: WallTime, generation: UInt64,
    sourceIdentity: SPIFFEID?, destinationIdentity: SPIFFEID?, source: SocketAddress,
    destination: SocketAddress, cause: Cause, endedLiveConnection: Bool = false, podUID: String = ""
  ) {
    self.id = id
    self.direction = direction
    self.at = at
    self.generation = generation
    self.sourceIdentity = sourceIdentity
    self.destinationIdentity = destinationIdentity
    self.source = source
    self.destination = destination
    self.cause = cause
    self.endedLiveConnection = endedLiveConnection
    self.podUID = podUID
  }
}

/// The parts of ztunnel's state the node agent can ask for.
public enum InspectionSection: UInt8, CaseIterable, Hashable, Sendable {
  case summary = 0
  case connections = 1
  case tunnels = 2
  case certificates = 3
  case metrics = 4
  case dns = 5
}

public enum Inspection: Hashable, Sendable {
  case summary(Summary)
  case connections([ConnectionRecord])
  case tunnels([TunnelRecord])
  case certificates([CertificateRecord])
  case metrics([MetricSample])
  case dns([DNSSample])
}

public struct Summary: Hashable, Sendable {
  public var generation: UInt64 = 0
  public var threads: UInt32 = 0
  public var pods: UInt32 = 0
  public var liveConnections: UInt64 = 0
  public var tunnelConnections: UInt64 = 0
  public var residentBytes: UInt64 = 0
  public var openDescriptors: UInt32 = 0
  /// Workers that did not answer in time; what they hold is missing from this answer.
  public var silentWorkers: UInt32 = 0
  /// Records not sent because the agent was away or slow, since start.
  public var droppedRecords: UInt64 = 0
  /// Connections that could not be taken, since start: they had died before the first question
  /// about them, or there was no descriptor left for them.
  public var failedAccepts: UInt64 = 0
  /// Tunnel connections of peers that revocations refused or cut, since start.
  public var revokedInbound: UInt64 = 0
  /// The same of ours.
  public var revokedOutbound: UInt64 = 0
  public var isDraining = false

  public init() {}
}

/// One mTLS connection that carries tunnels.
public struct TunnelRecord: Hashable, Sendable {
  public var direction: Direction
  public var podUID: String
  public var peer: SocketAddress
  public var peerIdentity: SPIFFEID?
  public var localIdentity: SPIFFEID
  public var liveStreams: UInt32
  public var totalStreams: UInt64
  public var age: Duration
  public var state: String

  public init(
    direction: Direction, podUID: String, peer: SocketAddress, peerIdentity: SPIFFEID?,
    localIdentity: SPIFFEID, liveStreams: UInt32, totalStreams: UInt64, age: Duration, state: String
  ) {
    self.direction = direction
    self.podUID = podUID
    self.peer = peer
    self.peerIdentity = peerIdentity
    self.localIdentity = localIdentity
    self.liveStreams = liveStreams
    self.totalStreams = totalStreams
    self.age = age
    self.state = state
  }
}

public struct CertificateRecord: Hashable, Sendable {
  public var identity: SPIFFEID
  public var serialNumber: String
  public var notBefore: WallTime
  public var notAfter: WallTime
  /// When the next request goes out.
  public var renewal: WallTime
  /// `valid`, `requested`, or why there is none.
  public var state: String
  public var rootCount: UInt32

  public init(
    identity: SPIFFEID, serialNumber: String, notBefore: WallTime, notAfter: WallTime,
    renewal: WallTime, state: String, rootCount: UInt32
  ) {
    self.identity = identity
    self.serialNumber = serialNumber
    self.notBefore = notBefore
    self.notAfter = notAfter
    self.renewal = renewal
    self.state = state
    self.rootCount = rootCount
  }
}

/// The counters of one label set, since ztunnel started.
public struct MetricSample: Hashable, Sendable {
  public var reporter: Direction
  /// Uid in the model, or empty when the peer is unknown.
  public var sourceWorkload: String
  public var destinationWorkload: String
  public var sourceIdentity: SPIFFEID?
  public var destinationIdentity: SPIFFEID?
  public var service: ServiceKey?
  public var isMutualTLS: Bool
  public var flag: ResponseFlag
  public var opened: UInt64 = 0
  public var closed: UInt64 = 0
  public var failed: UInt64 = 0
  public var receivedBytes: UInt64 = 0
  public var sentBytes: UInt64 = 0

  public init(
    reporter: Direction, sourceWorkload: String, destinationWorkload: String,
    sourceIdentity: SPIFFEID?, destinationIdentity: SPIFFEID?, service: ServiceKey?,
    isMutualTLS: Bool, flag: ResponseFlag
  ) {
    self.reporter = reporter
    self.sourceWorkload = sourceWorkload
    self.destinationWorkload = destinationWorkload
    self.sourceIdentity = sourceIdentity
    self.destinationIdentity = destinationIdentity
    self.service = service
    self.isMutualTLS = isMutualTLS
    self.flag = flag
  }
}
