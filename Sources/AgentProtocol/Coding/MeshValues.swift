import MeshModel

extension IPAddress: Coded {
  func write(to writer: inout Writer) {
    switch self {
    case .v4(let bits):
      writer.byte(4)
      writer.fixed(bits)
    case .v6(let high, let low):
      writer.byte(16)
      writer.fixed(high)
      writer.fixed(low)
    }
  }

  init(from reader: inout Reader) throws(DecodingError) {
    let start = reader.offset
    switch try reader.byte() {
    case 4: self = .v4(try reader.fixed())
    case 16: self = .v6Normalised(high: try reader.fixed(), low: try reader.fixed())
    default: throw .invalid(.address, offset: start)
    }
  }
}

extension SocketAddress: Coded {
  func write(to writer: inout Writer) {
    ip.write(to: &writer)
    writer.integer(port)
  }

  init(from reader: inout Reader) throws(DecodingError) {
    self.init(ip: try IPAddress(from: &reader), port: try reader.integer())
  }
}

extension CIDR: Coded {
  func write(to writer: inout Writer) {
    base.write(to: &writer)
    writer.byte(UInt8(prefixLength))
  }

  init(from reader: inout Reader) throws(DecodingError) {
    let start = reader.offset
    let base = try IPAddress(from: &reader)
    guard let block = CIDR(base: base, prefixLength: Int(try reader.byte())) else {
      throw .invalid(.cidr, offset: start)
    }
    self = block
  }
}

extension SPIFFEID: Coded {
  func write(to writer: inout Writer) {
    writer.text(trustDomain)
    writer.text(namespace)
    writer.text(serviceAccount)
  }

  init(from reader: inout Reader) throws(DecodingError) {
    self.init(
      trustDomain: try reader.text(), namespace: try reader.text(),
      serviceAccount: try reader.text())
  }
}

extension PolicyKey: Coded {
  func write(to writer: inout Writer) {
    writer.text(namespace)
    writer.text(name)
  }

  init(from reader: inout Reader) throws(DecodingError) {
    self.init(namespace: try reader.text(), name: try reader.text())
  }
}

extension ServiceKey: Coded {
  func write(to writer: inout Writer) {
    writer.text(namespace)
    writer.text(hostname)
  }

  init(from reader: inout Reader) throws(DecodingError) {
    self.init(namespace: try reader.text(), hostname: try reader.text())
  }
}

extension PortMapping: Coded {
  func write(to writer: inout Writer) {
    writer.integer(servicePort)
    writer.integer(targetPort)
  }

  init(from reader: inout Reader) throws(DecodingError) {
    self.init(servicePort: try reader.integer(), targetPort: try reader.integer())
  }
}

extension WallTime: Coded {
  /// Eight bytes, most significant first: an IEEE 754 double of seconds.
  func write(to writer: inout Writer) {
    let bits = secondsSinceEpoch.bitPattern
    for shift in stride(from: 56, through: 0, by: -8) {
      writer.byte(UInt8(truncatingIfNeeded: bits >> UInt64(shift)))
    }
  }

  init(from reader: inout Reader) throws(DecodingError) {
    let start = reader.offset
    var bits: UInt64 = 0
    for _ in 0..<8 { bits = bits << 8 | UInt64(try reader.byte()) }
    let seconds = Double(bitPattern: bits)
    guard seconds.isFinite else { throw .invalid(.time, offset: start) }
    self.init(secondsSinceEpoch: seconds)
  }
}

extension Duration: Coded {
  func write(to writer: inout Writer) {
    writer.signed(components.seconds)
    writer.signed(components.attoseconds)
  }

  init(from reader: inout Reader) throws(DecodingError) {
    let start = reader.offset
    let seconds = try reader.signed()
    let attoseconds = try reader.signed()
    guard attoseconds.magnitude < 1_000_000_000_000_000_000 else {
      throw .invalid(.duration, offset: start)
    }
    self.init(secondsComponent: seconds, attosecondsComponent: attoseconds)
  }
}
