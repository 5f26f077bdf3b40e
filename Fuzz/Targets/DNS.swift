// Modules: MeshModel DNS
import DNS
import MeshModel

/// A mesh with one of each thing that has a name.
private let mesh: MeshIndex = {
  var model = Model()
  let hosts = [
    "web.shop.svc.cluster.local", "db.shop.svc.cluster.local", "api.example.com", "*.wild.example",
  ]
  for host in hosts {
    var service = Service(key: ServiceKey(namespace: "shop", hostname: host), name: "service")
    if host.first != "d" { service.virtualAddresses = [VirtualAddress(ip: .v4(0x0a60_0001))] }
    service.ports = [PortMapping(servicePort: 80, targetPort: 8080)]
    model.services[service.key] = service
  }
  let client = Workload(uid: "Kubernetes//Pod/shop/client", name: "client", namespace: "shop")
  model.workloads[client.uid] = client
  for number in 0..<40 as Range<UInt32> {
    let name = "db-\(number)"
    var pod = Workload(uid: "Kubernetes//Pod/shop/\(name)", name: name, namespace: "shop")
    pod.addresses = [.v4(0x0a00_0000 + number), .v6(high: 0xfd00 << 48, low: UInt64(number))]
    let key = ServiceKey(namespace: "shop", hostname: "db.shop.svc.cluster.local")
    pod.services[key] = [PortMapping(servicePort: 80, targetPort: 9090)]
    model.workloads[pod.uid] = pod
  }
  return MeshIndex(model)
}()

/// The first byte says what to do with the rest: a client's message, or a query and its answer.
@c(LLVMFuzzerTestOneInput)
public func fuzzDNS(_ bytes: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  guard count > 0 else { return 0 }
  let input = Array(UnsafeBufferPointer(start: bytes, count: count))
  let message = Array(input.dropFirst())
  if input[0] & 1 == 0 { answer(message) } else { forward(message, split: Int(input[0])) }
  return 0
}

/// Whatever was asked, an answer is within its bounds, repeats the question and is an answer.
private func answer(_ message: [UInt8]) {
  do throws(MessageError) {
    let query = try Query(parsing: message.span)
    guard let client = mesh.workload(uid: "Kubernetes//Pod/shop/client") else { return }
    let decision = Resolver().decide(query, from: client, in: mesh, random: UInt64(message.count))
    var bytes: [UInt8] = []
    switch decision {
    case .forward:
      query.write(.serverFailure, into: &bytes)
    case .answer(let answer):
      for limit in [query.payloadBytes, Limit.messageBytes] {
        query.write(answer, limit: limit, into: &bytes)
        precondition(bytes.count <= limit, "\(bytes.count) bytes of \(limit)")
      }
    }
    precondition(bytes[0] == message[0] && bytes[1] == message[1] && bytes[2] & 0x80 != 0)
    guard let sent = UpstreamQuery(message.span, id: query.id) else {
      preconditionFailure("a query that cannot be sent on")
    }
    precondition(sent.isAnswered(by: bytes.span), "an answer with another question")
  } catch {
    precondition(!"\(error)".isEmpty)
  }
}

private func forward(_ message: [UInt8], split: Int) {
  let query = Array(message.prefix(split))
  let answer = Array(message.dropFirst(split))
  guard let sent = UpstreamQuery(query.span, id: 0x4242) else { return }
  if sent.isAnswered(by: answer.span) {
    precondition(answer[0] == 0x42 && answer[1] == 0x42 && answer[2] & 0x80 != 0)
  }
  var bytes: [UInt8] = []
  sent.write(.serverFailure, into: &bytes)
  precondition(bytes.count <= Limit.headerBytes + Limit.nameBytes + 4)
}
