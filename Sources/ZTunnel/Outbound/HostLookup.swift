import DNS
import Linux
import MeshModel

/// Finds an address behind a host name, for a workload that has nothing else.
///
/// Asks the node's resolvers one after the other, from inside the source pod's namespace, so that
/// what its network allows counts; first for the family the application dialled, then the other.
final class HostLookup {
  let worker: Worker
  let pod: ServedPod
  private let host: String
  private let turn: UInt64
  /// Called once, unless the lookup is cancelled; nil when there is no address.
  private var done: ((IPAddress?) -> Void)?
  /// What is still to be asked, in order.
  private var steps: [Step]
  private var asking: HostAsking?
  /// Answers to other questions, since the last step.
  private var strays = 0

  private struct Step {
    var resolver: SocketAddress
    var type: RecordType
  }

  init(
    _ host: String, preferringIPv4: Bool, turn: UInt64, in pod: ServedPod, worker: Worker,
    done: @escaping (IPAddress?) -> Void
  ) {
    self.host = host
    self.pod = pod
    self.turn = turn
    self.worker = worker
    self.done = done
    let types: [RecordType] = preferringIPv4 ? [.ipv4, .ipv6] : [.ipv6, .ipv4]
    let resolvers = worker.hosts.resolvers(at: worker.now)
    steps = types.flatMap { type in resolvers.map { Step(resolver: $0, type: type) } }
  }

  /// Asks what is next; answers from memory where it can.
  func next() {
    asking?.close()
    asking = nil
    strays = 0
    while done != nil {
      guard !steps.isEmpty else {
        end(with: [])
        return
      }
      let step = steps.removeFirst()
      if let known = worker.hosts.addresses(
        of: host, step.type, for: pod.uid, at: worker.now)
      {
        steps.removeAll { $0.type == step.type }
        if !known.isEmpty { end(with: known) }
        continue
      }
      if ask(step) { return }
    }
  }

  /// Nothing more is asked, nobody is told.
  func cancel() {
    done = nil
    asking?.close()
    asking = nil
  }

  fileprivate func take(_ reply: HostQuestion.Reply, _ type: RecordType) {
    switch reply {
    case .addresses(let found, let seconds):
      worker.hosts.keep(found, of: host, type, for: pod.uid, seconds: seconds, at: worker.now)
      end(with: found)
    case .none:
      worker.hosts.keep(
        [], of: host, type, for: pod.uid, seconds: ZTunnelLimit.absentHostSeconds, at: worker.now)
      next()
    case .failed: next()
    case .unrelated:
      strays += 1
      if strays >= DNSLimit.strayAnswers { next() }
    }
  }

  private func ask(_ step: Step) -> Bool {
    let id = UInt16(truncatingIfNeeded: Random.uint64())
    guard let question = HostQuestion(host: host, type: step.type, id: id) else { return false }
    let asking = HostAsking(question, for: self)
    do throws(LinuxError) {
      guard try asking.start(at: step.resolver) else { return false }
    } catch {
      // This resolver cannot be asked from here; the next may.
      asking.close()
      return false
    }
    self.asking = asking
    return true
  }

  private func end(with addresses: [IPAddress]) {
    let done = done
    cancel()
    done?(addresses.isEmpty ? nil : addresses[Int(turn % UInt64(addresses.count))])
  }
}

/// One question at one resolver.
private final class HostAsking: Handler {
  private let question: HostQuestion
  private let lookup: HostLookup
  private var socket: DatagramSocket?

  init(_ question: HostQuestion, for lookup: HostLookup) {
    self.question = question
    self.lookup = lookup
    super.init(worker: lookup.worker)
  }

  /// False when the kernel takes no more datagrams.
  func start(at resolver: SocketAddress) throws(LinuxError) -> Bool {
    // A resolver on the node's own loopback is not to be found in the pod.
    let socket =
      resolver.ip.isLoopback
      ? try DatagramSocket.connected(to: resolver, in: try NetworkNamespace.current())
      : try DatagramSocket.connected(to: resolver, in: lookup.pod.shared.namespace)
    try worker.watch(self, socket.number, .readable)
    // Another reference, so that the bytes outlive the loan.
    let message = question.message
    let outcome = socket.send(message.span)
    self.socket = consume socket
    guard case .sent = outcome else {
      close()
      return false
    }
    expire(after: ZTunnelLimit.resolverAnswer)
    return true
  }

  override func ready(_ readiness: Readiness) {
    guard let socket = socket.take() else { return }
    let outcome = worker.dns.receive(from: socket)
    self.socket = consume socket
    switch outcome {
    case .datagram(let received):
      let reply = worker.dns.withMessage(received.byteCount) { question.reply(in: $0) }
      lookup.take(reply, question.type)
    case .wouldBlock, .unusable: return
    case .failed: lookup.next()
    }
  }

  override func expired() { lookup.next() }

  func close() {
    worker.bury(self)
    _ = socket.take()
  }
}

/// What one worker knows of host names, and whom it asks.
///
/// By pod: who may touch a pod's network may touch what it is answered, and nobody else's.
struct HostNames {
  private struct Key: Hashable {
    var podUID: String
    var host: String
    var type: RecordType
  }

  private struct Known {
    var addresses: [IPAddress]
    var until: Instant
  }

  private var known: [Key: Known] = [:]
  private var servers: [SocketAddress] = []
  private var serversUntil: Instant?

  /// Empty: the name has none; nil: nobody asked lately.
  func addresses(
    of host: String, _ type: RecordType, for podUID: String, at now: Instant
  ) -> [IPAddress]? {
    let key = Key(podUID: podUID, host: host, type: type)
    guard let entry = known[key], now < entry.until else { return nil }
    return entry.addresses
  }

  mutating func keep(
    _ addresses: [IPAddress], of host: String, _ type: RecordType, for podUID: String,
    seconds: UInt32, at now: Instant
  ) {
    if known.count >= ZTunnelLimit.knownHosts { known = known.filter { now < $0.value.until } }
    if known.count >= ZTunnelLimit.knownHosts { known = [:] }
    let lifetime = min(seconds, ZTunnelLimit.knownHostSeconds)
    known[Key(podUID: podUID, host: host, type: type)] = Known(
      addresses: addresses, until: now + .seconds(Int64(lifetime)))
  }

  /// The node's resolvers, read again now and then; none when the file cannot be read.
  mutating func resolvers(at now: Instant) -> [SocketAddress] {
    if let serversUntil, now < serversUntil { return servers }
    serversUntil = now + ZTunnelLimit.resolverFileAge
    do throws(LinuxError) {
      servers = Self.servers(in: try File.readText(ZTunnelLimit.resolverFile))
    } catch {
      // The connection that asks is refused, with the name it needed; the next read may do better.
      servers = []
    }
    return servers
  }

  /// The `nameserver` lines of a resolv.conf, as many as the C library uses.
  static func servers(in text: String) -> [SocketAddress] {
    var found: [SocketAddress] = []
    for line in text.split(separator: "\n") {
      let words = line.split(whereSeparator: { $0 == " " || $0 == "\t" })
      guard words.count > 1, words[0] == "nameserver", let ip = IPAddress(String(words[1])),
        found.count < ZTunnelLimit.resolvers
      else { continue }
      found.append(SocketAddress(ip: ip, port: 53))
    }
    return found
  }
}
