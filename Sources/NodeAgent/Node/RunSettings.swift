import ControlAPI
import KubernetesClient
import MeshCompiler
import MeshCompiler
import MeshModel
import Telemetry
import XDS

/// All that `run` was told, by its command line and by its environment.
struct RunSettings: Sendable, Equatable {
  var node: String
  /// Nil only when the mesh comes from a control plane.
  var configDirectory: String?
  /// Whose API says which pods are here; nil: manifests do, or there are none.
  var cluster: ClusterSource?
  /// Whether `istio-injection: enabled` enrols as our own label does.
  var enrolsInjectionLabel = false
  var stateDirectory: String
  var source: MeshSource
  var authority: AuthoritySource
  var trustDomain: String
  /// Revocations, and the roots of other trust domains.
  var trust = TrustSettings()
  var clusterDomain: String
  /// The first part of every workload's uid.
  var clusterID: String
  var logFormat: LogFormat
  var metricsAddress: SocketAddress?
  var prober: ProberSetting?
  var leafLifetime: Duration
  var drain: Duration
  /// Nil: beside this executable.
  var ztunnelPath: String?
  /// Nil: `skein/<node>/ztunnel` in the root, made and removed with the node.
  var ztunnelCgroup: String?
  /// Whether somebody else starts ztunnel, in a control group of its own.
  var isZTunnelExternal = false
  var atExit = ExitPolicy.release
  /// The DaemonSet that ours is of; without it the pods are released at exit in any case.
  var daemonSet: ObjectName?
  /// What becomes of connections that live when their pod comes or goes.
  var connections = ConnectionSettings()
  /// Whether the mesh answers the pods' DNS queries.
  var dnsCapture = true
  /// Nil: no CNI plugin is answered or put anywhere.
  var cni: CNISettings?

  /// How manifests and a cluster's objects are read.
  var compilerOptions: CompilerOptions {
    CompilerOptions(
      clusterDomain: clusterDomain, trustDomain: trustDomain, clusterID: clusterID,
      enrolsInjectionLabel: enrolsInjectionLabel)
  }

  var agentSocket: String { "\(stateDirectory)/agent.sock" }
  var adminSocket: String { AdminServer.path(stateDirectory: stateDirectory) }
  /// The certificates in use, without keys.
  var chainsFile: String { "\(stateDirectory)/certificates" }
  /// The last good revocations and bundles.
  var trustFile: String { "\(stateDirectory)/trust" }
  /// The last good state of a control plane.
  var discoveryFile: String { "\(stateDirectory)/discovery" }
  /// When the control plane was last heard.
  var contactFile: String { "\(stateDirectory)/discovery-contact" }
  /// The cgroup ztunnel ran in last, when it was given.
  var cgroupFile: String { "\(stateDirectory)/ztunnel-cgroup" }
  var lockFile: String { "\(stateDirectory)/lock" }

  /// Everything `uninstall` takes out of a state directory, beside the lock.
  static let filesKept = [
    "agent.sock", "admin.sock", "certificates", "cni-enrolled.json", "cni-installation", "cni-pods",
    "cni.sock", "discovery", "discovery-contact", "trust",
    "ztunnel-cgroup",
  ]
}

/// What becomes of the pods when the node agent is told to end.
enum ExitPolicy: String, Sendable, Equatable, CaseIterable {
  /// Live connections drain, the pods are released, nothing is left behind.
  case release
  /// The pods stay captured and ztunnel goes on, for a node agent that follows.
  case keep
}

/// Where the mesh comes from.
enum MeshSource: Sendable, Equatable {
  /// The manifests in `configDirectory` are the whole mesh.
  case manifests
  /// A control plane says what the mesh is; manifests or a cluster only say which pods are here.
  case controlPlane(ControlPlaneSettings)
}

/// Who signs certificates.
enum AuthoritySource: Sendable, Equatable {
  case directory(String)
  case service(ChannelSettings)
}

/// How this node presents itself to a control plane.
struct ControlPlaneSettings: Sendable, Equatable {
  var channel: ChannelSettings
  /// The node agent's own pod; stand-ins when it runs in none.
  var podName: String
  var podNamespace: String
  var serviceAccount: String
  /// Of that pod; istiod asks for one, and it stands for none as in ztunnel.
  var address: String
  var network: String
  /// ISTIO_META_*, without the prefix.
  var metadata: [String: String]

  /// The version of Istio whose protocol this follows.
  private var istioVersion: String { metadata["ISTIO_VERSION"] ?? "1.30.0" }
}

extension ControlPlaneSettings {
  /// What the control plane is told of this node.
  func node(of run: RunSettings) -> NodeDescription {
    NodeDescription(
      address: address, podName: podName, namespace: podNamespace, nodeName: run.node,
      serviceAccount: serviceAccount, clusterID: run.clusterID, network: network,
      clusterDomain: run.clusterDomain, version: istioVersion, extraMetadata: metadata)
  }
}
