import IstioAPI
import MeshModel
import SwiftProtobuf

@testable import XDS

extension DeltaDiscoveryRequest {
  /// The first request for everything of a type.
  static func everything(
    _ type: ResourceType = .address, claiming claims: [String: String] = [:]
  ) -> DeltaDiscoveryRequest {
    .with {
      $0.node = nodeOne.message
      $0.typeURL = type.typeURL
      $0.initialResourceVersions = claims
    }
  }

  /// The first request for nothing yet, or for some names.
  static func onDemand(
    _ names: [String] = [], claiming claims: [String: String] = [:]
  ) -> DeltaDiscoveryRequest {
    var request = everything(claiming: claims)
    request.resourceNamesSubscribe = ["*"] + names
    request.resourceNamesUnsubscribe = ["*"]
    return request
  }

  static func asking(
    for names: [String], dropping dropped: [String] = []
  ) -> DeltaDiscoveryRequest {
    .with {
      $0.typeURL = ResourceType.address.typeURL
      $0.resourceNamesSubscribe = names
      $0.resourceNamesUnsubscribe = dropped
    }
  }
}

extension DeltaDiscoveryResponse {
  var acknowledged: DeltaDiscoveryRequest {
    .with {
      $0.typeURL = typeURL
      $0.responseNonce = nonce
    }
  }

  var names: [String] { resources.map(\.name).sorted() }

  var encodedBytes: Int {
    do {
      let bytes: [UInt8] = try serializedBytes()
      return bytes.count
    } catch {
      return .max
    }
  }
}

extension ResourceSet {
  func updated(to next: Model, from old: Model) -> ResourceSet {
    updated(with: old.change(to: next))
  }
}

extension ModelChange {
  /// Gives so many pods an address that no other round gave them.
  static func renewing(_ count: Int, round: Int) -> ModelChange {
    var change = ModelChange(isFull: false, generation: UInt64(round))
    change.workloads = (0..<count).map {
      .pod("p\($0)", address: "10.\(round).\($0 / 250).\($0 % 250)")
    }
    return change
  }
}
