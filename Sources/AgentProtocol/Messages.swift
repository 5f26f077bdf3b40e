public import MeshModel

/// The version both sides name in their first message; a side refuses another major version.
public enum ProtocolVersion {
  public static let current: UInt16 = 3
}

/// What the node agent tells ztunnel.
///
/// Descriptors travel beside a message as SCM_RIGHTS, in the order its case documents.
public enum AgentMessage: Hashable, Sendable {
  /// The first message on a connection.
  case configure(Configuration)
  /// A new generation of the model, whole or as a difference.
  case model(ModelChange)
  /// One piece of a generation too large for a frame; nothing of it is in force before `model` with
  /// the same number, which is the last piece. The first piece says whether it is whole.
  case modelPart(ModelChange)
  /// Revocations and the roots of other trust domains, in force at once, also for live tunnels.
  /// Before the first nobody is let in.
  case trust(TrustUpdate)
  /// Serve this pod. Descriptors: its network namespace, then, when `hasListeners`, the six
  /// listeners in the order of `ListenerKind.allCases`, which ztunnel adopts instead of making them.
  case addPod(Pod)
  /// Stop serving the pod, close everything that keeps its namespace alive.
  case removePod(uid: String)
  /// The answer to a `signingRequest`.
  case certificate(IssuedCertificate)
  case certificateRefused(identity: SPIFFEID, reason: String)
  case inspect(request: UInt64, section: InspectionSection)
  /// Take no new connections, let the live ones end, cut what is left after the deadline.
  case drain(deadline: Duration)
}

/// What ztunnel tells the node agent.
public enum TunnelMessage: Hashable, Sendable {
  /// The first message on a connection; one `podListening` follows for each pod already served.
  case hello(Hello)
  /// Descriptors: the six listeners in the order of `ListenerKind.allCases`, as copies to keep.
  /// Also sent again when a listener had to be made anew.
  case podListening(uid: String)
  /// Descriptors: the DNS sockets for IPv4 and, where the pod has it, IPv6; none: take them away.
  ///
  /// Follows each `podListening`. The agent puts them in place and keeps no copy: while there is one,
  /// a ztunnel that is dead would seem to answer.
  case dnsListening(uid: String)
  case podFailed(uid: String, reason: String)
  /// Everything held by the pod is closed.
  case podRemoved(uid: String)
  /// A fresh key's request; the key stays in ztunnel.
  case signingRequest(SigningRequest)
  case modelApplied(generation: UInt64)
  /// The model could not be applied; the last good one stays.
  case modelRejected(generation: UInt64, reason: String)
  case trustApplied(number: UInt64)
  /// The update could not be applied; the last good one stays, or nobody is let in.
  case trustRejected(number: UInt64, reason: String)
  /// A canary connection from inside the pod arrived on the outbound listener.
  case canaryArrived(uid: String, nonce: UInt64)
  /// Connections that ended, many at a time: a frame each would cost more than what it says.
  case connectionsClosed([ConnectionRecord])
  case refused(Refusal)
  case inspection(request: UInt64, Inspection)
  case drained(cut: UInt32)
}

/// The listeners ztunnel keeps in each pod's network namespace.
public enum ListenerKind: UInt8, CaseIterable, Hashable, Sendable {
  case outbound4 = 0
  case inbound4 = 1
  case hbone4 = 2
  case outbound6 = 3
  case inbound6 = 4
  case hbone6 = 5
}

public struct Configuration: Hashable, Sendable {
  public var version: UInt16
  public var nodeName: String
  public var trustDomain: String
  /// The destination a canary connection dials; ztunnel answers it itself.
  public var canary4: SocketAddress
  public var canary6: SocketAddress
  /// The mark that brings an application's answers back through lo.
  public var mark: UInt32
  /// Local ports reserved for connections towards applications, so that no client's port clashes.
  public var reservedPorts: ClosedRange<UInt16>
  /// Whether the mesh answers the pods' DNS queries at all.
  public var dnsCapture: Bool
  /// What Kubernetes' own names end in.
  public var clusterDomain: String

  public init(
    version: UInt16 = ProtocolVersion.current, nodeName: String, trustDomain: String,
    canary4: SocketAddress, canary6: SocketAddress, mark: UInt32,
    reservedPorts: ClosedRange<UInt16>, dnsCapture: Bool = true,
    clusterDomain: String = "cluster.local"
  ) {
    self.version = version
    self.nodeName = nodeName
    self.trustDomain = trustDomain
    self.canary4 = canary4
    self.canary6 = canary6
    self.mark = mark
    self.reservedPorts = reservedPorts
    self.dnsCapture = dnsCapture
    self.clusterDomain = clusterDomain
  }
}

public struct Pod: Hashable, Sendable {
  /// The pod's Kubernetes UID, or a stand-in for it in embedded mode.
  public var uid: String
  /// The key in the model.
  public var workloadUID: String
  public var hasListeners: Bool
  /// Whether the pod wants its DNS queries answered by the mesh; it may say no for itself.
  public var dnsCapture: Bool

  public init(uid: String, workloadUID: String, hasListeners: Bool, dnsCapture: Bool = true) {
    self.uid = uid
    self.workloadUID = workloadUID
    self.hasListeners = hasListeners
    self.dnsCapture = dnsCapture
  }
}

public struct Hello: Hashable, Sendable {
  public var version: UInt16
  public var processID: Int32
  /// The generation in force; 0 before the first.
  public var generation: UInt64
  /// Pods already served; their listeners follow.
  public var pods: [Pod]
  /// Identities whose certificate is held, so a new agent need not sign again.
  public var identities: [SPIFFEID]

  public init(
    version: UInt16 = ProtocolVersion.current, processID: Int32, generation: UInt64, pods: [Pod],
    identities: [SPIFFEID]
  ) {
    self.version = version
    self.processID = processID
    self.generation = generation
    self.pods = pods
    self.identities = identities
  }
}

public struct SigningRequest: Hashable, Sendable {
  public var identity: SPIFFEID
  /// PKCS #10, DER.
  public var request: [UInt8]

  public init(identity: SPIFFEID, request: [UInt8]) {
    self.identity = identity
    self.request = request
  }
}

public struct IssuedCertificate: Hashable, Sendable {
  public var identity: SPIFFEID
  /// Leaf first, then intermediates; DER each, never the root.
  public var chain: [[UInt8]]
  /// Every root trusted now, DER each; two during a root change.
  public var roots: [[UInt8]]

  public init(identity: SPIFFEID, chain: [[UInt8]], roots: [[UInt8]]) {
    self.identity = identity
    self.chain = chain
    self.roots = roots
  }
}
