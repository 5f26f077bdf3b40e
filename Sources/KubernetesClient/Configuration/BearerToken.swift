import Linux
import MeshModel
import Synchronization

/// A token for requests, read anew from its file before it can have expired.
final class BearerToken: Sendable {
  private struct State {
    var text: String
    var readAt: Instant?
  }

  private let path: String?
  private let state: Mutex<State>

  init(text: String) {
    path = nil
    state = Mutex(State(text: text))
  }

  init(path: String) throws(KubernetesError) {
    self.path = path
    let text = try Self.read(path)
    state = Mutex(State(text: text, readAt: MonotonicClock.now()))
  }

  /// What to show now; a file that cannot be read leaves the last token.
  func current(at now: Instant) -> String {
    let (text, readAt) = state.withLock { ($0.text, $0.readAt) }
    guard let readAt, now.since(readAt) >= Limit.tokenAge else { return text }
    _ = renew(at: now)
    return state.withLock(\.text)
  }

  /// Reads the file at once, for a token that was refused; true when there is another now.
  func renew(at now: Instant) -> Bool {
    guard let path else { return false }
    do throws(KubernetesError) {
      let text = try Self.read(path)
      return state.withLock { state in
        defer { state = State(text: text, readAt: now) }
        return state.text != text
      }
    } catch {
      // Looked at again with the next request; the server says when the old one is no good.
      return false
    }
  }

  private static func read(_ path: String) throws(KubernetesError) -> String {
    let text = trimmed(
      String(decoding: try readFile(path, atMost: Limit.tokenBytes), as: UTF8.self))
    guard !text.isEmpty else { throw .unreadable(path: path, reason: "it is empty") }
    return text
  }
}
