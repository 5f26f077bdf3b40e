import AgentProtocol
import DNS
import Linux
import MeshModel

extension Worker {
  /// The pod's DNS sockets are these from now on.
  func setDNSPorts(_ ports: [DNSPort], of uid: String) {
    guard let pod = pods[uid] else { return }
    for handler in pod.dnsHandlers { handler.stop() }
    pod.dnsHandlers = []
    guard drain == nil else { return }
    for port in ports {
      let handler = DNSHandler(port, of: pod, worker: self)
      do throws(LinuxError) {
        try handler.start()
        pod.dnsHandlers.append(handler)
      } catch {
        report(.podFailed(uid: uid, reason: "a DNS socket cannot be watched: \(error)"))
      }
    }
  }

  /// Closes everything of the pod's DNS, answers on their way too.
  func endDNS(of pod: ServedPod) {
    for handler in pod.dnsHandlers { handler.stop() }
    pod.dnsHandlers = []
    for exchange in Array(pod.exchanges.values) { exchange.close() }
    for stream in Array(pod.dnsStreams.values) { stream.close() }
  }

  /// Whether the pod's DNS queries are ours to look at.
  func capturesDNS(of pod: ServedPod) -> Bool {
    configuration?.dnsCapture == true && pod.shared.pod.dnsCapture
  }

  /// A connection of a pod to a resolver.
  func acceptDNS(
    _ socket: consuming Socket, from peer: SocketAddress, to resolver: SocketAddress,
    in pod: ServedPod
  ) throws(LinuxError) {
    guard pod.dnsStreams.count < DNSLimit.streamsPerPod else {
      socket.closeWithReset()
      return
    }
    try DNSStream(socket, from: peer, to: resolver, in: pod, worker: self).start()
  }

  /// Answers the query in `dns.message`, or sends it on.
  func answer(_ count: Int, to asker: Asker, in pod: ServedPod) {
    let query: Query
    do throws(MessageError) {
      query = try dns.withMessage(count) { message throws(MessageError) in
        try Query(parsing: message)
      }
    } catch {
      forward(count, to: asker, in: pod)
      return
    }
    switch decide(query, limit: query.payloadBytes, in: pod) {
    case .answer(let answer):
      pod.counters(query.type, isStream: false, worker: self).asked()
      query.write(answer, limit: query.payloadBytes, into: &dns.answer)
      dns.sendAnswer(to: asker)
    case .forward: forward(count, to: asker, in: pod)
    }
  }

  /// What the mesh says; a pod the model does not know asks its own resolver.
  func decide(_ query: Query, limit: Int, in pod: ServedPod) -> Decision {
    guard query.isPlain, let host = query.host, let configuration else { return .forward }
    let question = DNSQuestion(host: host, type: query.type)
    let known = pod.dnsDecisions[question]
    if case .answer(let answer) = known {
      return .answer(answer.shuffled(random: randomNumber(), limit: limit))
    }
    if let known { return known }
    guard let workload = pod.workload else { return .forward }
    let resolver = Resolver(clusterDomain: configuration.clusterDomain)
    let fresh = resolver.decide(query, from: workload, in: mesh, random: randomNumber())
    pod.dnsDecisions.keep(fresh, of: question)
    return fresh
  }

  /// Sends the message in `dns.message` to the resolver it was for, with an identifier of our own.
  private func forward(_ count: Int, to asker: Asker, in pod: ServedPod) {
    // Not to be guessed: an answer is known by it.
    let id = UInt16(truncatingIfNeeded: Random.uint64())
    guard let query = dns.withMessage(count, { UpstreamQuery($0, id: id) }) else { return }
    let counters = pod.counters(query.type, isStream: false, worker: self)
    counters.asked()
    guard pod.exchanges.count < DNSLimit.exchangesPerPod,
      dns.exchangeCount < DNSLimit.exchanges
    else {
      counters.upstreamFailed()
      fail(query, for: asker)
      return
    }
    let exchange = UpstreamExchange(query, for: asker, counters, in: pod, worker: self)
    do throws(LinuxError) {
      try exchange.start(count)
    } catch {
      // No descriptor is left, or the pod has no way to its resolver.
      counters.upstreamFailed()
      fail(query, for: asker)
    }
  }

  /// Tells the client at once that its resolver cannot be asked, so that it need not wait.
  func fail(_ query: UpstreamQuery, for asker: Asker) {
    query.write(.serverFailure, into: &dns.answer)
    dns.sendAnswer(to: asker)
  }
}

extension ServedPod {
  func counters(_ type: RecordType, isStream: Bool, worker: Worker) -> DNSCounters {
    let slot = DNSSlot(type: type, isStream: isStream)
    if let found = dnsCounters[slot] { return found }
    let fresh = worker.dns.table.counters(
      for: DNSKey(workload: workloadUID, type: type, isStream: isStream))
    dnsCounters[slot] = fresh
    return fresh
  }
}

/// The counters a pod uses, by what differs within it.
struct DNSSlot: Hashable {
  private var number: UInt8

  init(type: RecordType, isStream: Bool) {
    let kind: UInt8 =
      switch type {
      case .ipv4: 0
      case .ipv6: 1
      case .service: 2
      default: 3
      }
    number = kind << 1 | (isStream ? 1 : 0)
  }
}
