public import IstioAPI
internal import SwiftProtobuf

extension DeltaDiscoveryResponse {
  /// Bytes of its resources and removed names, for counting what a server sends.
  public var payloadBytes: Int {
    resources.reduce(0) { $0 + $1.name.utf8.count + $1.resource.value.count }
      + removedResources.reduce(0) { $0 + $1.utf8.count }
  }
}

extension DeltaDiscoveryRequest {
  /// Bytes of the names and versions that it claims to know.
  public var claimedBytes: Int {
    initialResourceVersions.reduce(0) { $0 + $1.key.utf8.count + $1.value.utf8.count }
  }
}
