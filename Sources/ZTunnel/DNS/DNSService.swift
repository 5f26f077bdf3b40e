import DNS
import Linux
import MeshModel

/// What one worker needs to answer queries: room that is used again, and its counters.
final class DNSService {
  /// The datagram at hand.
  var message = [UInt8](repeating: 0, count: Limit.messageBytes)
  /// The answer at hand.
  var answer: [UInt8] = []
  private var packet: [UInt8] = []
  var table = DNSTable()
  /// Queries that wait for a resolver.
  var exchangeCount = 0

  /// Takes one datagram into `message`.
  func receive(from socket: borrowing DatagramSocket) -> DatagramSocket.ReceiveOutcome {
    var taken: [UInt8] = []
    swap(&taken, &message)
    defer { swap(&taken, &message) }
    var room = taken.mutableSpan
    return socket.receive(into: &room)
  }

  /// Shows the front of `message`.
  func withMessage<Result, Failure: Error>(
    _ count: Int, _ body: (Span<UInt8>) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    // Another reference, not another copy.
    let message = message
    return try body(message.span.extracting(0..<count))
  }

  /// Writes over the identifier of `message`.
  func setIdentifier(_ id: UInt16) {
    message[0] = UInt8(truncatingIfNeeded: id >> 8)
    message[1] = UInt8(truncatingIfNeeded: id)
  }

  /// Gives `answer` to the client as if its resolver sent it.
  func sendAnswer(to asker: Asker) {
    let answer = answer
    asker.replies.socket.send(
      answer.span, from: asker.resolver, to: asker.client, packet: &packet)
  }

  /// Gives the front of `message` to the client as if its resolver sent it.
  func sendMessage(_ count: Int, to asker: Asker) {
    let message = message
    asker.replies.socket.send(
      message.span.extracting(0..<count), from: asker.resolver, to: asker.client, packet: &packet)
  }
}

/// Who asked over UDP, and whom.
struct Asker {
  var client: SocketAddress
  /// Where the application sent its query.
  var resolver: SocketAddress
  var replies: ReplyPort
}

/// One of a pod's DNS sockets in this worker's poller.
final class DNSHandler: Handler {
  private let pod: ServedPod
  private let port: DNSPort

  init(_ port: DNSPort, of pod: ServedPod, worker: Worker) {
    self.port = port
    self.pod = pod
    super.init(worker: worker)
  }

  /// EPOLLEXCLUSIVE: a query wakes one worker, not all.
  func start() throws(LinuxError) {
    try worker.watch(
      self, port.socket.number, Readiness([.readable, Readiness(rawValue: 1 << 28)]))
  }

  func stop() {
    guard !isClosed else { return }
    do throws(LinuxError) {
      try worker.poller.remove(port.socket.number)
    } catch {
      // ENOENT: it was not watched.
    }
    worker.bury(self)
  }

  override func ready(_ readiness: Readiness) {
    for _ in 0..<DNSLimit.datagramsPerTurn where !isClosed {
      switch worker.dns.receive(from: port.socket) {
      case .datagram(let received): take(received)
      case .wouldBlock: return
      case .unusable, .failed: continue
      }
    }
  }

  /// Whoever sends to the socket's own address was not steered here, and asks nobody.
  private func take(_ received: DatagramSocket.Received) {
    guard let resolver = received.destination, resolver.port == DNS.port, !resolver.ip.isLoopback
    else { return }
    let asker = Asker(client: received.source, resolver: resolver, replies: port.replies)
    worker.answer(received.byteCount, to: asker, in: pod)
  }
}
