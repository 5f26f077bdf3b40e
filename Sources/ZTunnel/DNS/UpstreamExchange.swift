import DNS
import Linux
import MeshModel

/// One query that the application's own resolver answers.
///
/// From the pod's address and a random port, a socket of its own for each, so that only the resolver
/// is heard and only who saw the query can answer it.
final class UpstreamExchange: Handler {
  private let query: UpstreamQuery
  private let asker: Asker
  private let counters: DNSCounters
  private let pod: ServedPod
  private let started: Instant
  private var socket: DatagramSocket?
  private var strays = 0

  init(
    _ query: UpstreamQuery, for asker: Asker, _ counters: DNSCounters, in pod: ServedPod,
    worker: Worker
  ) {
    self.query = query
    self.asker = asker
    self.counters = counters
    self.pod = pod
    started = worker.now
    super.init(worker: worker)
  }

  /// Sends the message in `worker.dns.message`.
  func start(_ count: Int) throws(LinuxError) {
    let socket = try DatagramSocket.connected(to: asker.resolver, in: pod.shared.namespace)
    try worker.watch(self, socket.number, .readable)
    self.socket = consume socket
    pod.exchanges[token] = self
    worker.dns.exchangeCount += 1
    counters.askedUpstream()
    worker.dns.setIdentifier(query.id)
    let outcome = worker.dns.withMessage(count) { self.socket?.send($0) ?? .wouldBlock }
    switch outcome {
    case .sent: expire(after: DNSLimit.upstreamAnswer)
    case .wouldBlock, .failed: fail()
    }
  }

  override func ready(_ readiness: Readiness) {
    while !isClosed {
      switch receive() {
      case .datagram(let received): take(received.byteCount)
      case .wouldBlock: return
      case .unusable: stray()
      // The resolver's host refused: its client may try the next one at once.
      case .failed: fail()
      }
    }
  }

  override func expired() {
    // The client's own patience is as long; it asks again, or another.
    counters.upstreamFailed()
    close()
  }

  private func receive() -> DatagramSocket.ReceiveOutcome {
    guard let socket = socket.take() else { return .wouldBlock }
    let outcome = worker.dns.receive(from: socket)
    self.socket = consume socket
    return outcome
  }

  private func take(_ count: Int) {
    guard worker.dns.withMessage(count, { query.isAnswered(by: $0) }) else {
      stray()
      return
    }
    worker.dns.setIdentifier(query.clientID)
    worker.dns.sendMessage(count, to: asker)
    counters.upstreamAnswered(after: worker.now.since(started))
    close()
  }

  private func stray() {
    strays += 1
    guard strays >= DNSLimit.strayAnswers else { return }
    counters.upstreamFailed()
    close()
  }

  private func fail() {
    counters.upstreamFailed()
    worker.fail(query, for: asker)
    close()
  }

  func close() {
    guard !isClosed else { return }
    pod.exchanges[token] = nil
    worker.dns.exchangeCount -= 1
    worker.bury(self)
    _ = socket.take()
  }
}
