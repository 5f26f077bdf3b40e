import Linux
import MeshModel
import NIOSSL
import Synchronization

/// Whom to trust as the API server, read anew from a file, so that its roots can be changed under a
/// client that runs.
///
/// Connections that are up stay; new ones begin with what is trusted then.
final class ServerRoots: Sendable {
  private struct State {
    var authority: [UInt8]
    /// Nil while they are those the client began with.
    var settings: TLSConfiguration?
    var readAt: Instant
  }

  private let path: String
  private let configuration: ClusterConfiguration
  private let state: Mutex<State>

  /// Nil when no file has them.
  init?(_ configuration: ClusterConfiguration, at now: Instant) {
    guard let path = configuration.authorityFile else { return nil }
    self.path = path
    self.configuration = configuration
    state = Mutex(State(authority: configuration.authority, readAt: now))
  }

  /// What is trusted now, PEM.
  var authority: [UInt8] { state.withLock(\.authority) }

  /// What a new connection begins with; nil for what the client began with.
  func current(at now: Instant) -> TLSConfiguration? {
    let (settings, readAt) = state.withLock { ($0.settings, $0.readAt) }
    guard now.since(readAt) >= Limit.authorityAge else { return settings }
    _ = renew(at: now)
    return state.withLock(\.settings)
  }

  /// Reads the file at once; true when there are others now.
  ///
  /// What cannot be used leaves the last ones in force.
  func renew(at now: Instant) -> Bool {
    do throws(KubernetesError) {
      var next = configuration
      next.authority = try readFile(path, atMost: Limit.configurationBytes)
      let isOther = state.withLock { state in
        state.readAt = now
        return state.authority != next.authority
      }
      guard isOther else { return false }
      let settings = try next.tls()
      state.withLock { state in
        (state.authority, state.settings) = (next.authority, settings)
      }
      return true
    } catch {
      // Looked at again with the next request; the server says when the old ones are no good.
      return false
    }
  }
}
