import GRPCCore
public import IstioAPI
import Linux
import MeshModel
import Synchronization

/// One stream of delta discovery, as its server sees it.
public final class DiscoveryExchange: Sendable {
  public typealias Request = Envoy_Service_Discovery_V3_DeltaDiscoveryRequest
  public typealias Response = Envoy_Service_Discovery_V3_DeltaDiscoveryResponse

  /// What a session has to look at next.
  public enum Event: Sendable {
    case request(Request)
    /// Somebody called `nudge`, once or more.
    case nudged
    /// The client finished.
    case finished
  }

  let requests = Handoff<Request>()
  private let writer: RPCWriter<Response>
  /// What the client owes us since when: its first request, or the reading of a response.
  private let owed: Mutex<(since: Instant, within: Duration)?>

  init(_ writer: RPCWriter<Response>) {
    self.writer = writer
    owed = Mutex((MonotonicClock.now(), ControlLimit.firstRequestTimeout))
  }

  /// What comes next; nothing more is read from the network before.
  public func next() async throws(ControlError) -> Event {
    switch try await requests.take() {
    case .element(let request):
      owed.withLock { $0 = nil }
      return .request(request)
    case .nudge: return .nudged
    case .ended: return .finished
    }
  }

  /// Wakes `next`, from anywhere.
  public func nudge() { requests.nudge() }

  /// Sends a response; returns when the network has taken most of it.
  ///
  /// A client that does not read for `ControlLimit.responseTimeout` loses its stream.
  public func send(_ response: Response) async throws(ControlError) {
    owed.withLock { $0 = (MonotonicClock.now(), ControlLimit.responseTimeout) }
    do {
      try await writer.write(response)
    } catch {
      throw ControlError(error)
    }
    owed.withLock { $0 = nil }
  }

  /// Returns once the client is too slow; throws when the task is cancelled.
  func watch() async throws -> CallStatus {
    while true {
      try await Task.sleep(for: .seconds(1))
      let now = MonotonicClock.now()
      guard let owed = owed.withLock({ $0 }), now.since(owed.since) >= owed.within else { continue }
      return CallStatus(.deadlineExceeded, "nothing was sent or read for \(owed.within)")
    }
  }
}
