// Modules: MeshModel SwiftProtobuf IstioAPI XDS
import IstioAPI
import MeshModel
import SwiftProtobuf
@testable import XDS

/// Any sequence of messages leaves a client and a server that agree with themselves.
///
/// Each message: a byte that says for whom, two bytes of length, its bytes.
@c(LLVMFuzzerTestOneInput)
public func fuzzWDS(_ bytes: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  var rest = Array(UnsafeBufferPointer(start: bytes, count: count))[...]
  var client = DiscoveryClient(node: node)
  var followed = Model()
  var server: DiscoveryServer? = DiscoveryServer(makeResources())
  while rest.count > 3, let kind = rest.first {
    let length = Int(rest[rest.startIndex + 1]) << 8 | Int(rest[rest.startIndex + 2])
    let message = Array(rest.dropFirst(3).prefix(length))
    rest = rest.dropFirst(3 + length)
    switch kind & 1 {
    case 0:
      if let response: DeltaDiscoveryResponse = read(message) {
        followed = answer(response, &client, followed)
      }
    default:
      if let request: DeltaDiscoveryRequest = read(message) { serve(request, &server) }
    }
  }
  restore(&client)
  return 0
}

private let node = NodeDescription(
  address: "10.0.0.9", podName: "agent", namespace: "a", nodeName: "one")

/// Made anew for every input: the leak detector does not see pointers inside of a global's enums.
private func makeResources() -> ResourceSet {
  var model = Model()
  let key = ServiceKey(namespace: "shop", hostname: "web.svc")
  model.services[key] = Service(key: key, name: "web")
  for number in 0..<3 as Range<UInt32> {
    var workload = Workload(uid: "k//Pod/shop/\(number)", name: "web", namespace: "shop")
    workload.addresses = [.v4(0x0a00_0007 + number)]
    workload.services[key] = []
    workload.node = number == 0 ? "one" : "two"
    model.workloads[workload.uid] = workload
  }
  return ResourceSet(model)
}

/// What a client took is what its changes say, survives the wire, and is claimed.
private func answer(
  _ response: DeltaDiscoveryResponse, _ client: inout DiscoveryClient, _ followed: Model
) -> Model {
  let update = client.receive(response)
  precondition(update.reply?.responseNonce == response.nonce, "an answer to something else")
  precondition(
    update.reply?.hasErrorDetail == (update.rejectedCount > 0), "a refusal without a reason")
  let next = followed.applying(update.change)
  precondition(next == client.model, "the changes do not add up")
  let held = client.addresses.known.count + client.policies.known.count
  let contents = next.workloads.count + next.services.count + next.policies.count
  precondition(held == contents, "a resource that nobody can remove")
  for workload in update.change.workloads { survives(.workload(workload)) }
  for service in update.change.services { survives(.service(service)) }
  for policy in update.change.policies { survives(.policy(policy)) }
  return next
}

private func survives(_ content: MeshResource) {
  do throws(Rejection) {
    let again = try MeshResource(content.enveloped().envelope, as: content.type)
    precondition(again == content, "a resource changed on the wire")
  } catch {
    preconditionFailure("a resource that was read is refused: \(error)")
  }
}

private func serve(_ request: DeltaDiscoveryRequest, _ server: inout DiscoveryServer?) {
  do throws(StreamRefusal) {
    let responses = try server?.receive(request) ?? []
    precondition(responses.count <= 1, "two responses of one type")
    for response in responses {
      precondition(response.resources.count <= 4, "a resource that is not there")
    }
  } catch {
    server = nil
  }
}

private func restore(_ client: inout DiscoveryClient) {
  do throws(SnapshotError) {
    var restored = try DiscoveryClient(node: node, restoring: client.snapshot())
    precondition(restored.connect() == client.connect(), "a snapshot that forgets")
  } catch {
    preconditionFailure("a snapshot that is not read back: \(error)")
  }
}

private func read<Message: SwiftProtobuf.Message>(_ bytes: [UInt8]) -> Message? {
  do {
    return try Message(serializedBytes: bytes)
  } catch {
    return nil
  }
}
