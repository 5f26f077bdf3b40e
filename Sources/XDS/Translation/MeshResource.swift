internal import IstioAPI
internal import MeshModel
internal import SwiftProtobuf

/// One resource of either type, as the mesh knows it.
enum MeshResource: Hashable, Sendable {
  case workload(Workload)
  case service(Service)
  case policy(AuthorizationPolicy)

  /// The name that the protocol knows it by.
  var name: String {
    switch self {
    case .workload(let workload): workload.uid
    case .service(let service): "\(service.key)"
    case .policy(let policy): "\(policy.key)"
    }
  }

  /// `<network>/<ip>` of every address it can be asked for by; `<network>/<ip>/<length>` of blocks.
  var aliases: [String] {
    switch self {
    case .workload(let workload):
      workload.isHostNetwork ? [] : workload.addresses.map { "\(workload.network)/\($0)" }
    case .service(let service):
      service.virtualAddresses.map { virtual in
        virtual.ip.map { "\(virtual.network)/\($0)" } ?? "\(virtual.network)/\(virtual.block)"
      }
    case .policy: []
    }
  }
}

// MARK: Reading

extension MeshResource {
  /// Reads a resource; everything about it must be right.
  init(_ resource: DiscoveryResource, as type: ResourceType) throws(Rejection) {
    guard resource.name.utf8.count <= Limit.nameBytes else {
      throw .nameTooLong(bytes: resource.name.utf8.count)
    }
    guard resource.version.utf8.count <= Limit.versionBytes else {
      throw .versionTooLong(bytes: resource.version.utf8.count)
    }
    guard resource.hasResource else { throw .empty }
    guard resource.resource.typeURL == type.typeURL else {
      throw .wrongType(clipped(resource.resource.typeURL))
    }
    let count = resource.resource.value.count
    guard count <= Limit.resourceBytes else { throw .tooLarge(bytes: count) }
    self = try MeshResource.decoded(resource.resource.value, as: type)
    guard name == resource.name else { throw .wrongName(expected: clipped(name)) }
  }

  private static func decoded(
    _ bytes: some SwiftProtobufContiguousBytes, as type: ResourceType
  ) throws(Rejection) -> MeshResource {
    switch type {
    case .address:
      let wire: Istio_Workload_Address = try message(bytes)
      return switch wire.type {
      case .workload(let wire): .workload(try read(wire, Workload.init))
      case .service(let wire): .service(try read(wire, Service.init))
      case nil: throw .empty
      }
    case .authorization:
      let wire: Istio_Security_Authorization = try message(bytes)
      return .policy(try read(wire, AuthorizationPolicy.init))
    }
  }

  private static func read<Wire, Value>(
    _ wire: Wire, _ translate: (Wire) throws(FieldError) -> Value
  ) throws(Rejection) -> Value {
    do throws(FieldError) {
      return try translate(wire)
    } catch {
      throw .field(error)
    }
  }
}
