import Synchronization
import Telemetry

/// What happened since the start.
final class Counters: Sendable {
  enum CertificateResult: String, CaseIterable, Sendable {
    case issued, unauthenticated, denied, invalid, failed
    case tooFast = "too_fast"
  }

  struct Values: Equatable, Sendable {
    var streamsRefused: [String: UInt64] = [:]
    /// Streams of which the proof ended before they did.
    var streamsEnded: [String: UInt64] = [:]
    var responses: UInt64 = 0
    var resources: UInt64 = 0
    var removals: UInt64 = 0
    var pushes = Histogram(bounds: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10])
    var refusals: UInt64 = 0
    var certificates: [CertificateResult: UInt64] = [:]
    var authenticationFailures: [String: UInt64] = [:]
  }

  private let state = Mutex(Values())

  var values: Values { state.withLock { $0 } }

  func stream(refused reason: String) {
    state.withLock { $0.streamsRefused[reason, default: 0] += 1 }
  }

  func stream(ended reason: String) {
    state.withLock { $0.streamsEnded[reason, default: 0] += 1 }
  }

  func sent(resources: Int, removals: Int) {
    state.withLock { state in
      state.responses += 1
      state.resources += UInt64(resources)
      state.removals += UInt64(removals)
    }
  }

  /// A generation was written to a stream this long after its manifests were read.
  func pushed(after duration: Duration) {
    state.withLock { $0.pushes.observe(duration.seconds) }
  }

  func refused(_ count: UInt64) {
    state.withLock { $0.refusals += count }
  }

  func certificate(_ result: CertificateResult) {
    state.withLock { $0.certificates[result, default: 0] += 1 }
  }

  func authenticationFailed(_ reason: String) {
    state.withLock { $0.authenticationFailures[reason, default: 0] += 1 }
  }
}
