public import MeshModel

/// The settings of a mesh that no manifest carries.
public struct CompilerOptions: Hashable, Sendable {
  /// The last part of every service's host name.
  public var clusterDomain: String
  /// The first part of every identity.
  public var trustDomain: String
  /// Where mesh-wide policies live.
  public var rootNamespace: String
  /// The first part of every workload's uid.
  public var clusterID: String
  /// The network of workloads that no label puts on another; a label on the root namespace wins.
  public var network: String
  /// Whether a namespace's label `istio-injection: enabled` enrols its pods, as our own label does.
  public var enrolsInjectionLabel: Bool

  public init(
    clusterDomain: String = "cluster.local", trustDomain: String = "cluster.local",
    rootNamespace: String = "istio-system", clusterID: String = "Kubernetes",
    network: String = "", enrolsInjectionLabel: Bool = false
  ) {
    self.clusterDomain = clusterDomain
    self.trustDomain = trustDomain
    self.rootNamespace = rootNamespace
    self.clusterID = clusterID
    self.network = network
    self.enrolsInjectionLabel = enrolsInjectionLabel
  }
}

/// What a set of manifests means, and what there is to say about it.
public struct Compilation: Hashable, Sendable {
  /// Its generation is 0: the caller numbers what it puts into force.
  public var model: Model
  /// Every pod of the manifests, by namespace and name.
  public var pods: [PodPlacement]
  /// By file, document and line.
  public var diagnostics: [Diagnostic]

  public init(model: Model = Model(), pods: [PodPlacement] = [], diagnostics: [Diagnostic] = []) {
    self.model = model
    self.pods = pods
    self.diagnostics = diagnostics
  }

  /// True: keep the last good generation, this one must not come into force.
  public var hasErrors: Bool { diagnostics.contains { $0.severity == .error } }
}

/// Where a pod runs, and whether the mesh takes care of it.
public struct PodPlacement: Hashable, Sendable {
  /// `metadata.uid`, or a stand-in that stays the same while the pod keeps its name.
  public var uid: String
  /// The key in the model.
  public var workloadUID: String
  public var namespace: String
  public var name: String
  /// `spec.nodeName`; empty while the pod has no node.
  public var node: String
  /// Absolute path of its network namespace, from the annotation `skein.dev/netns`; nil without it.
  public var networkNamespace: String?
  /// `status.podIPs`, the primary one first.
  public var addresses: [IPAddress]
  public var identity: SPIFFEID
  public var enrolment: Enrolment
  /// False when the pod's annotation `ambient.istio.io/dns-capture` says so.
  public var dnsCapture: Bool
  /// What the pod's annotations say of connections that live when it comes or goes, or its namespace's.
  public var connectionWish: ConnectionWish

  public init(
    uid: String, workloadUID: String, namespace: String, name: String, node: String,
    networkNamespace: String?, addresses: [IPAddress], identity: SPIFFEID, enrolment: Enrolment,
    dnsCapture: Bool = true, connectionWish: ConnectionWish = ConnectionWish()
  ) {
    self.uid = uid
    self.workloadUID = workloadUID
    self.namespace = namespace
    self.name = name
    self.node = node
    self.networkNamespace = networkNamespace
    self.addresses = addresses
    self.identity = identity
    self.enrolment = enrolment
    self.dnsCapture = dnsCapture
    self.connectionWish = connectionWish
  }
}

/// Whether the mesh takes care of a pod, and if not, why.
public enum Enrolment: Hashable, Sendable {
  case enrolled
  case notEnrolled(Reason)

  public enum Reason: String, Hashable, Sendable, CaseIterable {
    /// Neither the pod nor its namespace asks for it.
    case notLabelled = "not labelled istio.io/dataplane-mode: ambient"
    /// The pod's own label is `none`.
    case optedOut = "opted out by its label istio.io/dataplane-mode: none"
    /// Its namespace asks by `istio-injection`, and the pod answers in the same words.
    case noInjection = "opted out by sidecar.istio.io/inject: false"
    /// It shares the node's network, where there is nothing to redirect.
    case hostNetwork = "uses the node's network"
    /// Its phase is Succeeded or Failed.
    case finished = "has finished"
    /// `status.podIPs` is empty as yet.
    case noAddress = "has no address yet"
    /// It takes tunnels itself, as a waypoint does.
    case nativeTunnel = "speaks HBONE itself"
    /// A sidecar proxy already takes care of it.
    case sidecar = "has a sidecar proxy"
  }

  public var isEnrolled: Bool { self == .enrolled }
}
