import MeshCompiler
import MeshModel
import Telemetry

/// What becomes of connections that live when their pod comes into the mesh or leaves it, unless the
/// pod or its namespace says otherwise.
struct ConnectionSettings: Hashable, Sendable {
  var mode = ExistingConnections.grandfather
  var deadline: Duration = .seconds(600)

  /// The same, as a pod wishes.
  func following(_ wish: ConnectionWish) -> ConnectionSettings {
    ConnectionSettings(mode: wish.mode ?? mode, deadline: wish.deadline ?? deadline)
  }
}

/// The connections of one pod that are let live until a deadline, as they were counted last.
struct LivingConnections: Hashable, Sendable {
  enum Kind: String, Hashable, Sendable {
    /// The pod comes in when they have ended.
    case awaited
    /// Of before the pod was enrolled: in plaintext, and judged by nobody.
    case grandfathered
    /// Of ztunnel's, while the pod is released.
    case draining
  }

  var kind: Kind
  var count: Int
  var until: Instant
  /// When they are counted again.
  var nextAt: Instant

  init(_ kind: Kind, count: Int, until: Instant, at now: Instant) {
    self.kind = kind
    self.count = count
    self.until = until
    nextAt = now + Limit.livingConnectionsCheck
  }
}

/// How many connections went which way, for metrics.
struct LivingConnectionCounters: Hashable, Sendable {
  /// Living on now, by kind.
  var grandfathered = 0
  var draining = 0
  /// Cut because their deadline came, or at once, since the node agent started.
  var cut: UInt64 = 0
}

extension LivingConnectionCounters {
  func write(to text: inout PrometheusText) {
    text.family(
      "skein_living_connections", .gauge,
      "Connections that are let live while their pod is enrolled or released (unstable).")
    for (kind, count) in [("grandfathered", grandfathered), ("draining", draining)] {
      text.sample(
        "skein_living_connections", [PrometheusText.Label("kind", kind)], UInt64(count))
    }
    text.counter(
      "skein_living_connections_cut_total",
      "Connections that were cut for that, at their deadline or at once", cut)
  }
}
