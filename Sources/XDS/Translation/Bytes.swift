internal import IstioAPI
internal import MeshModel
internal import SwiftProtobuf

/// A message from its bytes; fields that it does not know are dropped.
func message<Message: SwiftProtobuf.Message>(
  _ bytes: some SwiftProtobufContiguousBytes
) throws(Rejection) -> Message {
  var options = BinaryDecodingOptions()
  options.discardUnknownFields = true
  do {
    return try Message(serializedBytes: bytes, options: options)
  } catch {
    // The runtime's error says nothing more.
    throw .undecodable
  }
}

extension MeshResource {
  /// The bytes of the API's message, the same for equal resources in every process.
  func encoded() throws(Rejection) -> [UInt8] {
    var options = BinaryEncodingOptions()
    options.useDeterministicOrdering = true
    let message: any SwiftProtobuf.Message =
      switch self {
      case .workload(let workload):
        Istio_Workload_Address.with { $0.workload = Istio_Workload_Workload(workload) }
      case .service(let service):
        Istio_Workload_Address.with { $0.service = Istio_Workload_Service(service) }
      case .policy(let policy): Istio_Security_Authorization(policy)
      }
    let bytes: [UInt8]
    do {
      bytes = try message.serializedBytes(options: options)
    } catch {
      // The one failure of the runtime that is left: 2 GiB.
      throw .tooLarge(bytes: Int(Int32.max))
    }
    guard bytes.count <= Limit.resourceBytes else { throw .tooLarge(bytes: bytes.count) }
    return bytes
  }

  /// The resource in its envelope; the version is a hash of the content.
  func enveloped() throws(Rejection) -> (envelope: DiscoveryResource, bytes: Int) {
    let name = name
    guard name.utf8.count <= Limit.nameBytes else { throw .nameTooLong(bytes: name.utf8.count) }
    let bytes = try encoded()
    var envelope = DiscoveryResource()
    envelope.name = name
    envelope.version = contentVersion(bytes.span)
    envelope.aliases = aliases
    envelope.resource.typeURL = type.typeURL
    envelope.resource.value = wireBytes(bytes)
    return (envelope, bytes.count)
  }

  var type: ResourceType {
    switch self {
    case .workload, .service: .address
    case .policy: .authorization
    }
  }
}
