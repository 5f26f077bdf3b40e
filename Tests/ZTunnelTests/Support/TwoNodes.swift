import AgentProtocol
import Glibc
import Linux
import MeshModel

/// Two nodes with one pod each, joined by a cable.
final class TwoNodes {
  let network: TestNetwork
  let authority: TestAuthority
  let source: TestAgent
  let destination: TestAgent
  var model = Model(generation: 1)
  static let client = IPAddress.v4(0x0a4d_0001)
  static let server = IPAddress.v4(0x0a4d_0002)
  static let server6 = IPAddress.v6(high: 0xfd77 << 48, low: 2)
  static let virtual = IPAddress.v4(0x0a60_000a)
  static let port: UInt16 = 8_080

  /// With `isOneNode` both pods are the first agent's, and the second has none.
  ///
  /// Each thread has its own tunnels: who counts tunnels of several connections asks for one.
  init(
    isOneNode: Bool = false, threads: Int = 2, _ edit: (inout Model) -> Void = { _ in }
  ) throws {
    network = try TestNetwork()
    authority = try TestAuthority()
    source = try TestAgent(authority, threads: threads)
    destination = try TestAgent(authority, threads: threads)
    var client = Self.workload("client", Self.client, node: "one")
    client.addresses.append(.v6(high: 0xfd77 << 48, low: 1))
    var server = Self.workload("server", Self.server, node: "two")
    server.addresses.append(Self.server6)
    let key = ServiceKey(namespace: "shop", hostname: "server.shop.svc.cluster.local")
    var service = Service(key: key, name: "server")
    service.virtualAddresses = [VirtualAddress(ip: Self.virtual)]
    service.ports = [PortMapping(servicePort: Self.port, targetPort: Self.port)]
    server.services[key] = service.ports
    model.workloads = [client.uid: client, server.uid: server]
    model.services = [key: service]
    edit(&model)
    for (agent, node) in [(source, "one"), (destination, "two")] {
      try agent.configure(node: node)
      try agent.send(model)
    }
    try source.addPod(client, network.client, outboundPort: Self.port)
    let host = isOneNode ? source : destination
    try host.addPod(server, network.server, outboundPort: 8_079)
    try source.waitForCertificates(isOneNode ? 2 : 1)
    if !isOneNode { try destination.waitForCertificates(1) }
  }

  static func workload(_ name: String, _ address: IPAddress, node: String) -> Workload {
    var workload = Workload(uid: "k//Pod/shop/\(name)", name: name, namespace: "shop")
    workload.serviceAccount = name
    workload.addresses = [address]
    workload.node = node
    workload.tunnelProtocol = .hbone
    return workload
  }

  func dial(_ ip: IPAddress = TwoNodes.server) throws -> Stream {
    try Stream.dial(
      SocketAddress(ip: ip, port: Self.port), in: network.client, mark: TestNetwork.capture)
  }

  func serve(
    on ip: IPAddress = TwoNodes.server,
    _ handler: @escaping @Sendable (Stream, SocketAddress) throws -> Void
  ) throws -> TestServer {
    try TestServer(
      on: SocketAddress(ip: ip, port: Self.port), in: network.server, handler)
  }
}

extension TwoNodes {
  /// The same mesh one generation on, on both nodes.
  func publish(_ edit: (inout Model) -> Void) throws {
    edit(&model)
    model.generation += 1
    for agent in [source, destination] { try agent.send(model) }
  }

  /// A policy of the server's namespace that denies the client's identity.
  static let denial = AuthorizationPolicy(
    key: PolicyKey(namespace: "shop", name: "no-client"), scope: .namespace, action: .deny,
    rules: [.init(clauses: [.init(matches: [.client])])])
}

extension TwoNodes {
  func destroyOutboundListener() throws {
    guard let listener = source.outboundListener else { throw Stream.Failure.reset }
    Socket(try listener.descriptor.duplicate()).stopListening()
  }
}

extension AuthorizationPolicy.Match {
  static var client: Self {
    var match = Self()
    match.principals = [.exact("cluster.local/ns/shop/sa/client")]
    return match
  }
}

extension Socket {
  fileprivate func stopListening() {
    _ = shutdown(number, CInt(SHUT_RD))
  }
}

extension TestAgent {
  func refusal(_ what: String) throws -> Refusal? {
    var found: Refusal?
    try wait(what) {
      guard case .refused(let refusal) = $0 else { return false }
      found = refusal
      return true
    }
    return found
  }

  func waitForCertificates(_ count: Int) throws {
    for _ in 0..<200 {
      if case .certificates(let records) = try inspect(.certificates),
        records.filter({ $0.state == "valid" }).count == count
      {
        return
      }
      try pump(for: .milliseconds(20))
    }
    throw Timeout(waitingFor: "certificates: \(try inspect(.certificates)) \(messages)")
  }
}
