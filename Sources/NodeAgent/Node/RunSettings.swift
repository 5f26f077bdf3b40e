import MeshModel

/// All that `run` was told.
struct RunSettings: Sendable, Equatable {
  var node: String
  var configDirectory: String
  var stateDirectory: String
  var caDirectory: String
  var trustDomain: String
  var clusterDomain: String
  var logFormat: LogFormat
  var metricsAddress: SocketAddress?
  var probeCgroup: String?
  var leafLifetime: Duration
  var drain: Duration
  /// Nil: beside this executable.
  var ztunnelPath: String?
  /// Nil: `skein/<node>/ztunnel` in the root, made and removed with the node.
  var ztunnelCgroup: String?

  var agentSocket: String { "\(stateDirectory)/agent.sock" }
  var adminSocket: String { AdminServer.path(stateDirectory: stateDirectory) }
  /// The certificates in use, without keys.
  var chainsFile: String { "\(stateDirectory)/certificates" }
  var lockFile: String { "\(stateDirectory)/lock" }
}
