import AgentProtocol
import Linux
import MeshModel
import Testing

@testable import ZTunnel

/// The first resolver of this machine, unless it is on loopback, where no pod can have it.
private let resolver: IPAddress? = {
  do {
    let text = try File.readText(ZTunnelLimit.resolverFile)
    return HostNames.servers(in: text).first.map(\.ip).flatMap { $0.isLoopback ? nil : $0 }
  } catch {
    return nil
  }
}()

/// A resolver in the server's namespace, at the address of this machine's.
private final class TestResolver {
  private var process: ProcessHandle?

  /// Answers every A question with 10.77.0.2, but for names with `gone` in them.
  private static let program = """
    import socket, sys
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind((sys.argv[1], 53))
    while True:
        query, peer = server.recvfrom(512)
        end = query.index(0, 12) + 5
        found = query[end - 4:end] == bytes([0, 1, 0, 1]) and b"gone" not in query
        head = query[:2] + bytes([0x81, 0x80, 0, 1, 0, int(found), 0, 0, 0, 0])
        record = bytes([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 10, 77, 0, 2]) if found else b""
        server.sendto(head + query[12:end] + record, peer)
    """

  init(at address: IPAddress, in namespace: borrowing NetworkNamespace) throws {
    process = try namespace.perform {
      try ip("addr add \(address)/32 dev lo")
      return try ChildProcess(
        path: "/usr/bin/env", arguments: ["python3", "-c", Self.program, "\(address)"],
        environment: ["PATH=/usr/local/bin:/usr/bin:/bin"]
      ).spawn()
    }.get()
  }

  deinit {
    do {
      try process?.send(.kill)
      _ = try process?.wait()
    } catch {
      CurrentProcess.writeError("the resolver stays behind: \(error)")
    }
  }
}

@Suite(
  .enabled(if: CurrentProcess.isRoot, "needs root"),
  .enabled(if: resolver?.isIPv4 == true, "needs a resolver that is not on loopback"), .serialized)
struct `A workload with a host name only` {
  private func nodes(host: String) throws -> (TwoNodes, TestResolver) {
    let nodes = try TwoNodes { model in
      let key = ServiceKey(namespace: "shop", hostname: host)
      var service = Service(key: key, name: "db")
      service.virtualAddresses = [VirtualAddress(ip: .v4(0x0a60_000c))]
      service.ports = [PortMapping(servicePort: TwoNodes.port, targetPort: TwoNodes.port)]
      model.services[key] = service
      var workload = Workload(uid: "k/ServiceEntry/db", name: "db", namespace: "shop")
      workload.hostname = host
      workload.services[key] = service.ports
      model.workloads[workload.uid] = workload
      // Behind the name is no pod of the mesh.
      model.workloads["k//Pod/shop/server"]?.tunnelProtocol = .none
    }
    let address = try #require(resolver)
    return (nodes, try TestResolver(at: address, in: nodes.network.server))
  }

  @Test func `is found through the node's resolver when it is dialled`() throws {
    let (nodes, resolver) = try nodes(host: "db.test")
    defer { withExtendedLifetime(resolver) {} }
    let server = try nodes.serve(TestServer.echo)
    _ = server
    for _ in 0..<50 {
      do {
        let stream = try nodes.dial(.v4(0x0a60_000c))
        try stream.send("by name")
        #expect(try stream.receiveText(7) == "by name")
        break
      } catch {
        // The resolver is not up yet.
        try nodes.source.pump(for: .milliseconds(50))
      }
    }
    let stream = try nodes.dial(.v4(0x0a60_000c))
    try stream.send("again")
    #expect(try stream.receiveText(5) == "again")
    guard case .connections(let records) = try nodes.source.inspect(.connections) else { return }
    #expect(records.last?.destination == SocketAddress(ip: TwoNodes.server, port: 8_080))
    #expect(records.last?.destinationWorkload == "k/ServiceEntry/db")
  }

  @Test func `that has no address is refused, with the name`() throws {
    let (nodes, resolver) = try nodes(host: "gone.test")
    defer { withExtendedLifetime(resolver) {} }
    #expect(throws: (any Error).self) { try nodes.dial(.v4(0x0a60_000c)).receive() }
    try nodes.source.wait("a failed record") {
      guard let record = $0.closed else { return false }
      return record.reason.contains("no address for gone.test")
    }
  }
}
