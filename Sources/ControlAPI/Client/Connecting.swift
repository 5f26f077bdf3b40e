import GRPCCore
import GRPCNIOTransportHTTP2Posix
import Synchronization

/// Whether a call has found its connection.
final class Opening: Sendable {
  private let done = Atomic<Bool>(false)

  var isDone: Bool { done.load(ordering: .acquiring) }

  func finish() { done.store(true, ordering: .releasing) }
}

/// Runs `call` with a client of its own, whose connection must stand within the connect timeout.
///
/// `call` says so with `Opening.finish` when it is let at the connection.
func withClient<Answer: Sendable>(
  _ settings: ChannelSettings,
  _ call:
    @escaping @Sendable (GRPCClient<HTTP2ClientTransport.Posix>, Opening) async throws
    -> Answer
) async throws -> Answer {
  let client = GRPCClient(transport: try settings.transport())
  let opening = Opening()
  // No child: a connection that is being made cannot be cancelled, and its end is not waited for.
  let connections = Task { try await client.runConnections() }
  do {
    let answer = try await withThrowingTaskGroup(of: Answer?.self) { group in
      group.addTask { try await call(client, opening) }
      group.addTask {
        try await Task.sleep(for: settings.connectTimeout)
        if !opening.isDone { throw ControlError.connectTimedOut(after: settings.connectTimeout) }
        return nil
      }
      while let finished = try await group.next() {
        guard let answer = finished else { continue }
        group.cancelAll()
        return answer
      }
      throw ControlError.ended
    }
    client.beginGracefulShutdown()
    return answer
  } catch {
    connections.cancel()
    throw error
  }
}
