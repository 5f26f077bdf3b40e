import MeshModel
import Telemetry

/// What a CNI call is worth for a cluster's pod of which no process is seen.
///
/// The runtime calls before it starts the first one. From then on the processes say whose the
/// namespace is, so a call does not count for ever without them.
enum CallTrust: Hashable, Sendable {
  /// There is no call, or it names another namespace.
  case absent
  /// What was put in place stays, and is served.
  case fresh
  /// What was put in place stays, and is closed until a process is seen.
  case spent

  /// - called: the namespace that the call's path leads to now.
  /// - since: when we heard of it.
  init(in namespace: UInt64, called: UInt64?, since: Instant?, at now: Instant) {
    guard let since, called == namespace else {
      self = .absent
      return
    }
    self = now.since(since) < Limit.callTrust ? .fresh : .spent
  }

  static func spentReason(_ absence: String) -> String {
    "its CNI call is more than \(Limit.callTrust.brief) old, and \(absence); it is served when one "
      + "is seen in its network namespace"
  }
}
