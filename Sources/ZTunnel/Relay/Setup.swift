import AgentProtocol
import HBONE
import Linux
import MeshModel

/// What stands between an accepted connection and its bytes: decisions, dials, answers.
///
/// Lives as long as the set-up; the sockets keep no trace of it afterwards.
class Setup {
  /// One of the sockets it works with has something to say.
  func socketReady(_ socket: AppSocket, _ readiness: Readiness) {}
  /// Ends it without an answer: a pod is gone or ztunnel ends.
  func cancel() {}
  /// The deadline of its step has passed.
  func expired() {}
  /// The stream it opened or serves is over.
  func streamWasReset(_ code: ErrorCode) {}
  /// The tunnel connection it waits for or uses is gone.
  func tunnelFailed(_ failure: TunnelFailure) {}
}

/// Why a tunnel connection ended.
struct TunnelFailure {
  var flag: ResponseFlag
  var reason: String
  /// The transport broke, as when the other ztunnel was restarted: a fresh dial may well work.
  var isTransportLoss = false
  /// Nobody takes tunnels there, or nobody does yet.
  var isRefusal = false
}
