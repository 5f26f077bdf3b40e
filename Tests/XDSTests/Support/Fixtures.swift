import IstioAPI
import MeshModel
import SwiftProtobuf
import Testing

@testable import XDS

let nodeOne = NodeDescription(
  address: "10.0.0.9", podName: "agent-1", namespace: "istio-system", nodeName: "one",
  serviceAccount: "ztunnel", clusterID: "Kubernetes")

func ip(_ text: String) -> IPAddress { IPAddress(text) ?? .v4(0) }

extension Workload {
  static func pod(
    _ name: String, address: String, node: String = "two", serving: [ServiceKey] = []
  ) -> Workload {
    var workload = Workload(uid: "k//Pod/shop/\(name)", name: name, namespace: "shop")
    workload.addresses = [ip(address)]
    workload.node = node
    workload.tunnelProtocol = .hbone
    for key in serving {
      workload.services[key] = [PortMapping(servicePort: 80, targetPort: 8080)]
    }
    return workload
  }
}

extension ServiceKey {
  static let web = ServiceKey(namespace: "shop", hostname: "web.shop.svc.cluster.local")
}

extension Service {
  static func web(at address: String) -> Service {
    var service = Service(key: .web, name: "web")
    service.virtualAddresses = [VirtualAddress(ip: ip(address))]
    service.ports = [PortMapping(servicePort: 80, targetPort: 8080)]
    return service
  }
}

extension AuthorizationPolicy {
  static func denyAll(_ name: String) -> AuthorizationPolicy {
    AuthorizationPolicy(
      key: PolicyKey(namespace: "shop", name: name), scope: .workloadSelector, action: .deny,
      rules: [.init()])
  }
}

extension Model {
  static func holding(
    _ workloads: [Workload] = [], _ services: [Service] = [],
    _ policies: [AuthorizationPolicy] = [], generation: UInt64 = 1
  ) -> Model {
    var model = Model(generation: generation)
    for workload in workloads { model.workloads[workload.uid] = workload }
    for service in services { model.services[service.key] = service }
    for policy in policies { model.policies[policy.key] = policy }
    return model
  }

  /// Without the count of generations, which every end keeps for itself.
  var contents: Model {
    var contents = self
    contents.generation = 0
    return contents
  }
}

/// The resource as a server sends it.
func envelope(_ content: MeshResource) throws -> DiscoveryResource {
  try content.enveloped().envelope
}

func envelope(
  name: String, version: String = "1", _ message: some SwiftProtobuf.Message,
  type: ResourceType = .address
) throws -> DiscoveryResource {
  let bytes: [UInt8] = try message.serializedBytes()
  return envelope(name: name, version: version, bytes: bytes, type: type)
}

func envelope(
  name: String, version: String = "1", bytes: [UInt8], type: ResourceType = .address
) -> DiscoveryResource {
  .with {
    $0.name = name
    $0.version = version
    $0.resource.typeURL = type.typeURL
    $0.resource.value = wireBytes(bytes)
  }
}

func response(
  _ resources: [DiscoveryResource], removing removed: [String] = [], nonce: String = "n1",
  type: ResourceType = .address
) -> DeltaDiscoveryResponse {
  .with {
    $0.typeURL = type.typeURL
    $0.resources = resources
    $0.removedResources = removed
    $0.nonce = nonce
  }
}

func address(_ workload: Istio_Workload_Workload) -> Istio_Workload_Address {
  .with { $0.workload = workload }
}
