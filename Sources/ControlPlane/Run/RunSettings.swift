import ControlAPI
import KubernetesClient
import MeshCompiler
import MeshModel
import Telemetry

/// All that `run` was told.
struct RunSettings: Sendable, Equatable {
  enum Serving: Sendable, Equatable {
    /// Files in PEM, watched.
    case files(certificate: String, key: String)
    /// Of our own authority, for these names.
    case issued(names: [String])
  }

  enum KeyPlace: Sendable, Equatable {
    case file(String)
    /// Of the issuer's servers, whose certificates these roots signed; nil: the system's.
    case issuer(roots: String?)
  }

  struct Issuer: Sendable, Equatable {
    var url: String
    var audience: String
    var keys: KeyPlace
    /// `namespace/name` of node agents.
    var nodeAccounts: Set<String>
    /// How other subjects begin that name nodes.
    var nodePrefix = "system:node:"
  }

  /// Where the objects of the mesh come from.
  enum Source: Sendable, Equatable {
    case directory(String)
    case cluster(ClusterConfiguration)
  }

  /// Tokens that the cluster's API server looks at.
  struct Review: Sendable, Equatable {
    var audience: String
    /// `namespace/name` of node agents.
    var nodeAccounts: Set<String>
  }

  /// Where the certificate authority is kept.
  enum Authority: Sendable, Equatable {
    case directory(String)
    /// In a Secret of the cluster, its roots in ConfigMaps of these names in every namespace.
    case secret(ObjectName, rootConfigMaps: [String])
  }

  var source: Source
  var authority: Authority
  /// An address without brackets, or a name.
  var host: String
  var port: UInt16
  var serving: Serving
  var tokenFile: String?
  var issuer: Issuer?
  /// Revocation lists of client certificates; nil when nobody asked for any.
  var revocationFile: String?
  /// Nil without a cluster, or where an issuer's keys are enough.
  var review: Review?
  var lifetimes: LifetimeRule
  var trustDomain: String
  var clusterDomain: String
  var admin: SocketAddress?
  var metrics: SocketAddress?
  var logFormat: LogFormat

  /// Whether `istio-injection: enabled` enrols as our own label does; the nodes must be told alike.
  var enrolsInjectionLabel = false

  var compilerOptions: CompilerOptions {
    CompilerOptions(
      clusterDomain: clusterDomain, trustDomain: trustDomain,
      enrolsInjectionLabel: enrolsInjectionLabel)
  }
}
