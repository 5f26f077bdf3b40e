// Istio's workload discovery (WDS) over delta ADS, both ends, as decisions.
//
// In go protobuf messages and model changes; out come model changes, acknowledgements and responses:
// `DiscoveryClient` for a node, `ResourceSet` and `DiscoveryServer` for a control plane.
// Never here: gRPC, a socket, a clock, randomness.

public import IstioAPI

/// The envelope's messages under the names the protocol gives them.
public typealias DeltaDiscoveryRequest = Envoy_Service_Discovery_V3_DeltaDiscoveryRequest
public typealias DeltaDiscoveryResponse = Envoy_Service_Discovery_V3_DeltaDiscoveryResponse
public typealias DiscoveryResource = Envoy_Service_Discovery_V3_Resource

/// The kinds of resources that a node asks for.
public enum ResourceType: Hashable, Sendable, CaseIterable {
  /// Workloads and services.
  case address
  /// Authorization policies.
  case authorization

  public init?(typeURL: String) {
    guard let type = ResourceType.allCases.first(where: { $0.typeURL == typeURL }) else {
      return nil
    }
    self = type
  }

  public var typeURL: String {
    switch self {
    case .address: "type.googleapis.com/istio.workload.Address"
    case .authorization: "type.googleapis.com/istio.security.Authorization"
    }
  }
}

/// The name that stands for every resource of a type.
let wildcard = "*"

/// How our server ends the version info of a response that is only a part of what it has to say.
///
/// The protocol has no mark for that; other servers send what a stream asks for first in one piece,
/// and other clients do not look.
let moreFollows = " (more follows)"
