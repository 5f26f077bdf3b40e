public import IstioAPI
internal import SwiftProtobuf

extension DeltaDiscoveryResponse {
  /// Bytes of its resources and removed names, for counting what a server sends.
  public var payloadBytes: Int {
    resources.reduce(0) { $0 + $1.name.utf8.count + $1.resource.value.count }
      + removedResources.reduce(0) { $0 + $1.utf8.count }
  }
}
