import MeshModel

extension Locality: Coded {
  func write(to writer: inout Writer) {
    writer.text(region)
    writer.text(zone)
    writer.text(subzone)
  }

  init(from reader: inout Reader) throws(DecodingError) {
    self.init(
      region: try reader.text(), zone: try reader.text(), subzone: try reader.text())
  }
}

extension ApplicationTunnel: Coded {
  func write(to writer: inout Writer) {
    writer.byte(form.rawValue)
    writer.integer(port)
  }

  init(from reader: inout Reader) throws(DecodingError) {
    self.init(form: try reader.member(.applicationTunnel), port: try reader.integer())
  }
}

extension GatewayAddress: Coded {
  func write(to writer: inout Writer) {
    switch destination {
    case .service(let key):
      writer.byte(0)
      key.write(to: &writer)
    case .address(let network, let ip):
      writer.byte(1)
      writer.text(network)
      ip.write(to: &writer)
    }
    writer.integer(tunnelPort)
  }

  init(from reader: inout Reader) throws(DecodingError) {
    let destination: Destination
    switch try reader.byte() {
    case 0: destination = .service(try ServiceKey(from: &reader))
    case 1:
      destination = .address(network: try reader.text(), ip: try IPAddress(from: &reader))
    case let tag: throw reader.unknown(tag, of: .gateway)
    }
    self.init(destination: destination, tunnelPort: try reader.integer())
  }
}

extension WeightedWaypoint: Coded {
  func write(to writer: inout Writer) {
    waypoint.write(to: &writer)
    writer.integer(weight)
  }

  init(from reader: inout Reader) throws(DecodingError) {
    self.init(waypoint: try GatewayAddress(from: &reader), weight: try reader.integer())
  }
}

extension LoadBalancing: Coded {
  func write(to writer: inout Writer) {
    writer.byte(mode.rawValue)
    writer.list(preferences) { $1.byte($0.rawValue) }
  }

  init(from reader: inout Reader) throws(DecodingError) {
    self.init(
      mode: try reader.member(.loadBalancing),
      preferences: try reader.list { reader throws(DecodingError) in
        try reader.member(.preference)
      })
  }
}

extension VirtualAddress: Coded {
  func write(to writer: inout Writer) {
    writer.text(network)
    block.write(to: &writer)
  }

  init(from reader: inout Reader) throws(DecodingError) {
    self.init(network: try reader.text(), block: try CIDR(from: &reader))
  }
}

extension WaypointBypass: Coded {
  func write(to writer: inout Writer) {
    switch owner {
    case .service(let key):
      writer.byte(0)
      key.write(to: &writer)
    case .workload(let uid):
      writer.byte(1)
      writer.text(uid)
    }
    waypoint.write(to: &writer)
    writer.list(expected)
    writer.optional(actual)
  }

  init(from reader: inout Reader) throws(DecodingError) {
    let owner: WaypointOwner
    switch try reader.byte() {
    case 0: owner = .service(try ServiceKey(from: &reader))
    case 1: owner = .workload(try reader.text())
    case let tag: throw reader.unknown(tag, of: .waypointOwner)
    }
    self.init(
      owner: owner, waypoint: try GatewayAddress(from: &reader), expected: try reader.list(),
      actual: try reader.optional())
  }
}
