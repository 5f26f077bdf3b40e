import AgentProtocol
import Linux
import MeshModel
import TestSupport

/// A node agent for tests, and the ztunnel process it talks to.
///
/// It signs what is asked and keeps every message; `pump` moves things along.
final class TestAgent {
  let authority: TestAuthority
  private let path: String
  private let listener: Socket
  private let poller: Poller
  private var process: ProcessHandle?
  private var link: Socket?
  private var reader = FrameReader()
  private var writer = FrameWriter()
  private(set) var messages: [TunnelMessage] = []
  /// The last certificate of each identity.
  private(set) var issued: [SPIFFEID: IssuedCertificate] = [:]
  /// Whom to sign as instead of the identity that was asked for.
  var signsAs: SPIFFEID?
  var signs = true
  /// The process closed the connection.
  private(set) var hasEnded = false

  init(_ authority: TestAuthority, threads: Int = 2) throws {
    self.authority = authority
    path = "\(authority.directory)/agent-\(Random.uint64()).sock"
    listener = try UnixSocket.listen(path: path)
    poller = try Poller()
    try poller.add(listener.number, token: 1, .readable)
    process = try ChildProcess(
      path: Self.executable, arguments: ["--agent", path, "--threads", "\(threads)"]
    ).spawn()
    try wait("hello") { if case .hello = $0 { true } else { false } }
  }

  /// The product beside the tests that run.
  private static var executable: String {
    let parts = #filePath.split(separator: "/").dropLast(4)
    let directory = "/" + parts.joined(separator: "/") + "/.build/debug"
    let product = "\(directory)/ztunnel"
    return File.exists(product) ? product : "\(directory)/ZTunnel"
  }

  deinit {
    do {
      try process?.send(.kill)
      _ = try process?.wait()
    } catch {
      CurrentProcess.writeError("ztunnel is left behind: \(error)")
    }
  }

  var processID: Int32 { process?.processID ?? 0 }

  func send(
    _ message: AgentMessage, _ descriptors: consuming DescriptorList = DescriptorList()
  ) throws {
    try writer.enqueue(message.encoded().span, descriptors: descriptors)
    try pump(for: .zero)
  }

  /// Forgets ztunnel, as an agent that dies does, and waits for it to come back.
  func restart() throws -> Hello? {
    link = nil
    writer = FrameWriter()
    messages = []
    var found: Hello?
    try wait("another hello") {
      guard case .hello(let hello) = $0 else { return false }
      found = hello
      return true
    }
    return found
  }

  /// Descriptors and threads of the process, seen from outside.
  var openDescriptors: [String] {
    get throws { try Directory.entries("/proc/\(processID)/fd") }
  }

  func signal(_ signal: Signal) throws {
    try process?.send(signal)
  }

  /// How the process ended, nil while it lives.
  var outcome: ProcessOutcome? {
    get throws { try process?.exitStatus() }
  }

  func configure(node: String) throws {
    try send(
      .configure(
        Configuration(
          nodeName: node, trustDomain: "cluster.local",
          canary4: SocketAddress(ip: .v4(0xc000_0201), port: 8080),
          canary6: SocketAddress(ip: .v6(high: 0x2001_0db8_0000_0000, low: 1), port: 8080),
          mark: TestNetwork.mark, reservedPorts: 18_000...19_999)))
    try send(.trust(TrustUpdate()))
  }

  func send(_ model: Model) throws {
    try send(.model(model.wholeChange))
    try wait("model \(model.generation)") { $0 == .modelApplied(generation: model.generation) }
  }

  /// Serves a pod through listeners of ours, which stand in for redirection.
  func addPod(
    _ workload: Workload, _ namespace: borrowing NetworkNamespace, outboundPort: UInt16
  ) throws {
    var descriptors = DescriptorList()
    descriptors.append(try namespace.duplicate().descriptor.duplicate())
    for kind in ListenerKind.allCases {
      let port: UInt16 =
        switch kind {
        case .outbound4, .outbound6: outboundPort
        case .hbone4, .hbone6: 15_008
        case .inbound4, .inbound6: 0
        }
      let any: IPAddress =
        switch kind {
        case .outbound4, .inbound4, .hbone4: .v4(0)
        case .outbound6, .inbound6, .hbone6: .v6(high: 0, low: 0)
        }
      let socket = try namespace.run { () throws(LinuxError) in
        try Socket.listener(on: SocketAddress(ip: any, port: port), isTransparent: true)
      }
      if kind == .inbound4 {
        inboundListener = SharedDescriptor(try socket.descriptor.duplicate())
      } else if kind == .outbound4 {
        outboundListener = SharedDescriptor(try socket.descriptor.duplicate())
      }
      descriptors.append(socket.takeDescriptor())
    }
    let pod = Pod(uid: "pod-\(workload.uid)", workloadUID: workload.uid, hasListeners: true)
    try send(.addPod(pod), descriptors)
    try wait("podListening") { $0 == .podListening(uid: pod.uid) }
  }

  /// The pod's outbound listener for IPv4, as the last pod added has it.
  private(set) var outboundListener: SharedDescriptor?
  private var inboundListener: SharedDescriptor?

  /// The port on which the last pod added takes plaintext, for IPv4.
  var inboundPort: UInt16? {
    get throws {
      guard let inboundListener else { return nil }
      return try Socket(try inboundListener.descriptor.duplicate()).localAddress().port
    }
  }

  func inspect(_ section: InspectionSection) throws -> Inspection {
    let request = Random.uint64()
    try send(.inspect(request: request, section: section))
    var answer: Inspection?
    try wait("inspection") {
      guard case .inspection(request, let inspection) = $0 else { return false }
      answer = inspection
      return true
    }
    guard let answer else { throw Timeout(waitingFor: "inspection") }
    return answer
  }

  struct Timeout: Error {
    var waitingFor: String
  }

  /// Pumps until a message, past or future, satisfies the claim; it is then forgotten.
  func wait(
    _ what: String, within limit: Duration = patience,
    _ isIt: (TunnelMessage) throws -> Bool
  ) throws {
    let deadline = MonotonicClock.now() + limit
    while true {
      if let index = try messages.firstIndex(where: isIt) {
        messages.remove(at: index)
        return
      }
      guard MonotonicClock.now() < deadline else { throw Timeout(waitingFor: what) }
      try pump(for: .milliseconds(20))
    }
  }

  /// Takes what comes within a while.
  func pump(for time: Duration) throws {
    var events: [PollEvent] = []
    try poller.wait(timeout: time, into: &events)
    if link == nil, let accepted = try listener.accept() {
      let socket = accepted.takeSocket()
      try poller.add(socket.number, token: 2, .readable)
      link = consume socket
      reader = FrameReader()
    }
    guard !hasEnded, let socket = link.take() else { return }
    let answers = try read(from: socket)
    guard !hasEnded else { return }
    for answer in answers { try writer.enqueue(answer.encoded().span) }
    _ = try writer.flush(to: socket)
    link = consume socket
  }

  /// Keeps what comes; the certificates that answer it.
  private func read(from socket: borrowing Socket) throws -> [AgentMessage] {
    var certificates: [AgentMessage] = []
    reading: while true {
      switch try reader.read(from: socket) {
      case .frame(let frame):
        let message = try TunnelMessage(decoding: frame.payload)
        if case .signingRequest(let request) = message, signs {
          let certificate = try authority.sign(request, as: signsAs)
          issued[request.identity] = certificate
          certificates.append(.certificate(certificate))
        } else {
          messages += message.singly
        }
      case .wouldBlock: break reading
      case .endOfFile:
        hasEnded = true
        break reading
      }
    }
    return certificates
  }
}

extension TunnelMessage {
  /// The record of the one connection that ended, of a message that `singly` gave.
  var closed: ConnectionRecord? {
    if case .connectionsClosed(let records) = self { return records.first }
    return nil
  }

  /// A message for each connection that ended, so that a test can wait for one of them.
  fileprivate var singly: [TunnelMessage] {
    guard case .connectionsClosed(let records) = self else { return [self] }
    return records.map { .connectionsClosed([$0]) }
  }
}
