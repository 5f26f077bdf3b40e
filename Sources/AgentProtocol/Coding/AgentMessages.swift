import MeshModel

extension AgentMessage: Coded {
  func write(to writer: inout Writer) {
    switch self {
    case .configure(let configuration):
      writer.byte(0)
      configuration.write(to: &writer)
    case .model(let change):
      writer.byte(1)
      change.write(to: &writer)
    case .addPod(let pod):
      writer.byte(2)
      pod.write(to: &writer)
    case .removePod(let uid):
      writer.byte(3)
      writer.text(uid)
    case .certificate(let certificate):
      writer.byte(4)
      certificate.write(to: &writer)
    case .certificateRefused(let identity, let reason):
      writer.byte(5)
      identity.write(to: &writer)
      writer.text(reason)
    case .inspect(let request, let section):
      writer.byte(6)
      writer.integer(request)
      writer.byte(section.rawValue)
    case .drain(let deadline):
      writer.byte(7)
      deadline.write(to: &writer)
    case .modelPart(let change):
      writer.byte(8)
      change.write(to: &writer)
    case .trust(let update):
      writer.byte(9)
      update.write(to: &writer)
    }
  }

  init(from reader: inout Reader) throws(DecodingError) {
    switch try reader.byte() {
    case 0: self = .configure(try Configuration(from: &reader))
    case 1: self = .model(try ModelChange(from: &reader))
    case 2: self = .addPod(try Pod(from: &reader))
    case 3: self = .removePod(uid: try reader.text())
    case 4: self = .certificate(try IssuedCertificate(from: &reader))
    case 5:
      self = .certificateRefused(
        identity: try SPIFFEID(from: &reader), reason: try reader.text())
    case 6:
      self = .inspect(request: try reader.integer(), section: try reader.member(.section))
    case 7: self = .drain(deadline: try Duration(from: &reader))
    case 8: self = .modelPart(try ModelChange(from: &reader))
    case 9: self = .trust(try TrustUpdate(from: &reader))
    case let tag: throw reader.unknown(tag, of: .agentMessage)
    }
  }
}

extension Configuration: Coded {
  func write(to writer: inout Writer) {
    writer.integer(version)
    writer.text(nodeName)
    writer.text(trustDomain)
    canary4.write(to: &writer)
    canary6.write(to: &writer)
    writer.integer(mark)
    writer.integer(reservedPorts.lowerBound)
    writer.integer(reservedPorts.upperBound)
    writer.boolean(dnsCapture)
    writer.text(clusterDomain)
  }

  init(from reader: inout Reader) throws(DecodingError) {
    let version = try reader.integer(as: UInt16.self)
    let nodeName = try reader.text()
    let trustDomain = try reader.text()
    let canary4 = try SocketAddress(from: &reader)
    let canary6 = try SocketAddress(from: &reader)
    let mark = try reader.integer(as: UInt32.self)
    let start = reader.offset
    let first = try reader.integer(as: UInt16.self)
    let last = try reader.integer(as: UInt16.self)
    guard first <= last else { throw .invalid(.portRange, offset: start) }
    self.init(
      version: version, nodeName: nodeName, trustDomain: trustDomain, canary4: canary4,
      canary6: canary6, mark: mark, reservedPorts: first...last,
      dnsCapture: try reader.boolean(), clusterDomain: try reader.text())
  }
}

extension Pod: Coded {
  func write(to writer: inout Writer) {
    writer.text(uid)
    writer.text(workloadUID)
    writer.boolean(hasListeners)
    writer.boolean(dnsCapture)
  }

  init(from reader: inout Reader) throws(DecodingError) {
    self.init(
      uid: try reader.text(), workloadUID: try reader.text(), hasListeners: try reader.boolean(),
      dnsCapture: try reader.boolean())
  }
}

extension IssuedCertificate: Coded {
  func write(to writer: inout Writer) {
    identity.write(to: &writer)
    writer.list(chain) { $1.blob($0) }
    writer.list(roots) { $1.blob($0) }
  }

  init(from reader: inout Reader) throws(DecodingError) {
    self.init(
      identity: try SPIFFEID(from: &reader),
      chain: try reader.list { reader throws(DecodingError) in try reader.blob() },
      roots: try reader.list { reader throws(DecodingError) in try reader.blob() })
  }
}
