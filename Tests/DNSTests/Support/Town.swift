import DNS
import MeshModel

/// A small mesh with one of each thing that has a name.
enum Town {
  static let client: Workload = {
    var client = pod("client", in: "shop", ["10.0.0.1", "fd00::1"])
    client.services = [:]
    return client
  }()

  static var mesh: MeshIndex {
    var model = Model()
    add(service("web", in: "shop", ["10.96.0.1", "fd96::1"]), to: &model)
    add(service("web", in: "bank", ["10.96.0.2"]), to: &model)
    add(service("db", in: "shop", []), to: &model)
    var ready = service("early", in: "shop", [])
    ready.healthPolicy = .allowAll
    add(ready, to: &model)
    var four = service("four", in: "shop", ["10.96.0.4", "fd96::4"])
    four.addressFamilies = .ipv4
    add(four, to: &model)
    var hidden = service("hidden", in: "bank", ["10.96.0.9"])
    hidden.visibility = .ownNamespace
    add(hidden, to: &model)
    add(external("api.example.com", in: "bank", ["240.0.0.1"], canonical: false), to: &model)
    add(external("api.example.com", in: "zoo", ["240.0.0.2"], canonical: true), to: &model)
    add(external("*.wild.example", in: "shop", ["240.0.0.3"]), to: &model)
    add(external("unresolved.example", in: "shop", []), to: &model)
    var block = external("block.example", in: "shop", [])
    block.virtualAddresses = ["240.1.0.0/16", "240.2.0.7/32"].compactMap(CIDR.init)
      .map { VirtualAddress(block: $0) }
    add(block, to: &model)
    var far = external("far.example", in: "shop", [])
    far.virtualAddresses = [VirtualAddress(network: "other", ip: .v4(0xf000_0009))]
    add(far, to: &model)
    let members = [
      pod("db-0", in: "shop", ["10.0.0.10", "fd00::10"], of: ["db", "early"]),
      pod("db-1", in: "shop", ["10.0.0.11"], of: ["db"]),
      pod("db-2", in: "shop", ["10.0.0.12"], of: ["db", "early"], isHealthy: false),
      client,
    ]
    for workload in members { model.workloads[workload.uid] = workload }
    return MeshIndex(model)
  }

  /// The same with more services.
  static func with(_ services: [Service]) -> MeshIndex {
    var model = mesh.model
    for service in services { add(service, to: &model) }
    return MeshIndex(model)
  }

  static func service(_ name: String, in namespace: String, _ vips: [String]) -> Service {
    external("\(name).\(namespace).svc.cluster.local", in: namespace, vips)
  }

  static func external(
    _ host: String, in namespace: String, _ vips: [String], canonical: Bool = true
  ) -> Service {
    let key = ServiceKey(namespace: namespace, hostname: host)
    var service = Service(key: key, name: String(host.prefix { $0 != "." }))
    service.virtualAddresses = vips.compactMap { IPAddress($0) }.map { VirtualAddress(ip: $0) }
    service.ports = [PortMapping(servicePort: 80, targetPort: 8080)]
    service.isCanonical = canonical
    return service
  }

  static func pod(
    _ name: String, in namespace: String, _ ips: [String], of services: [String] = [],
    isHealthy: Bool = true
  ) -> Workload {
    let uid = "Kubernetes//Pod/\(namespace)/\(name)"
    var pod = Workload(uid: uid, name: name, namespace: namespace)
    pod.addresses = ips.compactMap { IPAddress($0) }
    pod.health = isHealthy ? .healthy : .unhealthy
    for service in services {
      let host = "\(service).\(namespace).svc.cluster.local"
      pod.services[ServiceKey(namespace: namespace, hostname: host)] = [
        PortMapping(servicePort: 80, targetPort: 9090)
      ]
    }
    return pod
  }

  private static func add(_ service: Service, to model: inout Model) {
    model.services[service.key] = service
  }

  /// What the mesh says to a question of the client; nil when it forwards it.
  static func ask(
    _ host: String, _ type: RecordType = .ipv4, random: UInt64 = 1, limit: Int = 512,
    payloadBytes: UInt16? = nil, in mesh: MeshIndex = Town.mesh
  ) throws -> AnswerReading? {
    let query = try parsed(QueryBytes(host: host, type: type, payloadBytes: payloadBytes).bytes)
    switch Resolver().decide(query, from: client, in: mesh, random: random) {
    case .forward: return nil
    case .answer(let answer):
      var bytes: [UInt8] = []
      query.write(answer, limit: max(limit, query.payloadBytes), into: &bytes)
      return try AnswerReading(bytes)
    }
  }
}
