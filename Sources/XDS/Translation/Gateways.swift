internal import IstioAPI
internal import MeshModel
internal import SwiftProtobuf

extension GatewayAddress {
  init(_ wire: Istio_Workload_GatewayAddress, _ field: String) throws(FieldError) {
    let destination: Destination
    switch wire.destination {
    case .hostname(let name):
      guard canBeHalf(name.namespace), canBeHalf(name.hostname) else {
        throw FieldError(
          "\(field).hostname", .malformedName("\(name.namespace)/\(name.hostname)"))
      }
      destination = .service(ServiceKey(namespace: name.namespace, hostname: name.hostname))
    case .address(let address):
      let block = try block(
        address.address, length: address.hasLength ? address.length : nil, "\(field).address")
      guard block.isSingle else {
        throw FieldError("\(field).address.length", .prefixLength(block.prefixLength))
      }
      destination = .address(network: address.network, ip: block.base)
    case nil:
      throw FieldError("\(field).destination", .missing)
    }
    let port = try port(wire.hboneMtlsPort, "\(field).hbone_mtls_port")
    self.init(destination: destination, tunnelPort: port == 0 ? AgentPort.hbone : port)
  }

  var wire: Istio_Workload_GatewayAddress {
    .with {
      switch destination {
      case .service(let key):
        $0.hostname = .with {
          $0.namespace = key.namespace
          $0.hostname = key.hostname
        }
      case .address(let network, let ip):
        $0.address = .with {
          $0.network = network
          $0.address = wireBytes(ip.bytes)
        }
      }
      $0.hboneMtlsPort = UInt32(tunnelPort)
    }
  }
}
