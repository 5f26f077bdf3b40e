import AgentProtocol
import Linux
import MeshModel
import Testing

/// An application whose queue is full: who dials it waits until it takes a connection.
private final class BusyApplication {
  private let listener: Socket
  private var fillers: [Stream] = []

  init(on address: SocketAddress, in namespace: borrowing NetworkNamespace) throws {
    listener = try namespace.run { () throws(LinuxError) in
      let socket = try Socket.stream(for: address.ip)
      try socket.setReuseAddress()
      try socket.bind(to: address)
      // Room for one connection.
      try socket.listen(backlog: 0)
      return socket
    }
    fillers.append(try Stream.dial(address, in: namespace))
  }

  /// Makes room, so that the next attempt of who waits comes through.
  func takeOne() throws {
    while let accepted = try listener.accept() {
      let socket = accepted.takeSocket()
      fillers.append(try Stream(socket))
    }
  }

  /// Whether somebody dials port 8080 of this namespace and is not answered.
  static func isDialled(in namespace: borrowing NetworkNamespace) throws -> Bool {
    let table = try namespace.perform { () throws in
      String(decoding: try File.read("/proc/thread-self/net/tcp"), as: UTF8.self)
    }.get()
    return table.split(separator: "\n").contains { line in
      let words = line.split(separator: " ")
      // Remote port 8080, state SYN_SENT.
      return words.count > 3 && words[2].hasSuffix(":1F90") && words[3] == "02"
    }
  }
}

@Suite(.enabled(if: CurrentProcess.isRoot, "needs root"), .serialized)
struct `A policy that comes while the application is dialled` {
  private func check(_ nodes: TwoNodes, deniedAt agent: TestAgent) throws -> Stream {
    let application = try BusyApplication(
      on: SocketAddress(ip: TwoNodes.server, port: TwoNodes.port), in: nodes.network.server)
    let stream = try nodes.dial()
    let deadline = MonotonicClock.now() + .seconds(5)
    while try !BusyApplication.isDialled(in: nodes.network.server) {
      guard MonotonicClock.now() < deadline else { throw Stream.Failure.timedOut }
      try agent.pump(for: .milliseconds(10))
    }
    try nodes.publish { $0.policies[TwoNodes.denial.key] = TwoNodes.denial }
    try application.takeOne()
    #expect(throws: Stream.Failure.reset) { try stream.receive() }
    let refusal = try agent.refusal("a denial")
    #expect(refusal?.cause == .policy(.matched(policy: TwoNodes.denial.key, rule: 0)))
    // It was never a connection, so none was ended.
    #expect(refusal?.endedLiveConnection == false)
    return stream
  }

  @Test func `denies a connection through a tunnel, as if it had come before`() throws {
    let nodes = try TwoNodes()
    _ = try check(nodes, deniedAt: nodes.destination)
    guard case .peer(401, _) = try nodes.source.refusal("the client's side")?.cause else {
      Issue.record("the client heard something else")
      return
    }
  }

  @Test func `denies a connection between two pods of one node`() throws {
    let nodes = try TwoNodes(isOneNode: true)
    _ = try check(nodes, deniedAt: nodes.source)
  }
}
