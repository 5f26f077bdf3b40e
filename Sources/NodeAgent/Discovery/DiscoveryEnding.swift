import ControlAPI
import Telemetry
import XDS

/// How a stream to the control plane ended.
enum DiscoveryEnding: Equatable, Sendable {
  /// The other end finished it.
  case finished
  /// The other end did not answer the first requests in time.
  case unanswered(Set<ResourceType>)
  case failed(ControlError)
}

extension DiscoveryEnding {
  func termination(hasAnswered: Bool) -> DiscoveryState.Termination {
    switch self {
    case .finished: .complete
    case .unanswered: .error
    case .failed(let error):
      switch error {
      case .unreadable, .badCredentials, .connectTimedOut: .connectionError
      case .ended: .complete
      case .cancelled: .error
      case .status(let status):
        switch status.code {
        case .unavailable: hasAnswered ? .reconnect : .connectionError
        case .unknown, .cancelled, .deadlineExceeded: hasAnswered ? .reconnect : .error
        default: .error
        }
      }
    }
  }
}

extension DiscoveryEnding {
  /// Whether our first requests may have been too large for the other end: then the next say nothing
  /// of what is known here, and everything is sent again.
  ///
  /// A server that is asked by too many says the same, and would only be asked for more.
  func blames(claimOf bytes: Int, hasAnswered: Bool) -> Bool {
    guard !hasAnswered, case .failed(.status(let status)) = self else { return false }
    return status.code == .resourceExhausted && bytes > Limit.discoverySureClaim
  }
}

extension DiscoveryEnding: CustomStringConvertible {
  var description: String {
    switch self {
    case .finished: "the control plane finished the stream"
    case .unanswered(let types):
      "no answer about \(types.map(\.word).sorted().joined(separator: " and ")) within "
        + "\(Limit.discoveryFirstAnswers.brief)"
    case .failed(let error): "\(error)"
    }
  }
}

extension ResourceType {
  var word: String {
    switch self {
    case .address: "workloads and services"
    case .authorization: "policies"
    }
  }
}

/// What `work` gives; nil once the time is over, when nobody waits for it any more.
func within<Value: Sendable>(
  _ limit: Duration, _ work: @escaping @Sendable () async throws(ControlError) -> Value
) async throws(ControlError) -> Value? {
  let result: Result<Value?, ControlError> = await withTaskGroup { group in
    group.addTask { () -> Result<Value?, ControlError> in
      do throws(ControlError) {
        return .success(try await work())
      } catch {
        return .failure(error)
      }
    }
    group.addTask {
      do {
        try await Task.sleep(for: limit)
      } catch {
        // Cancelled: the other one was first.
      }
      return .success(nil)
    }
    let first = await group.next() ?? .success(nil)
    group.cancelAll()
    // What came in the very moment the time was over is not lost.
    if case .success(nil) = first, case .success(let late?)? = await group.next() {
      return .success(late)
    }
    return first
  }
  return try result.get()
}
