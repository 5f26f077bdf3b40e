import MeshModel

extension TunnelMessage: Coded {
  func write(to writer: inout Writer) {
    switch self {
    case .hello(let hello):
      writer.byte(0)
      hello.write(to: &writer)
    case .podListening(let uid):
      writer.byte(1)
      writer.text(uid)
    case .dnsListening(let uid):
      writer.byte(15)
      writer.text(uid)
    case .podFailed(let uid, let reason):
      writer.byte(2)
      writer.text(uid)
      writer.text(reason)
    case .podRemoved(let uid):
      writer.byte(3)
      writer.text(uid)
    case .signingRequest(let request):
      writer.byte(4)
      request.identity.write(to: &writer)
      writer.blob(request.request)
    case .modelApplied(let generation):
      writer.byte(5)
      writer.integer(generation)
    case .modelRejected(let generation, let reason):
      writer.byte(6)
      writer.integer(generation)
      writer.text(reason)
    case .canaryArrived(let uid, let nonce):
      writer.byte(7)
      writer.text(uid)
      writer.integer(nonce)
    case .connectionsClosed(let records):
      writer.byte(9)
      writer.list(records)
    case .refused(let refusal):
      writer.byte(10)
      refusal.write(to: &writer)
    case .inspection(let request, let inspection):
      writer.byte(11)
      writer.integer(request)
      inspection.write(to: &writer)
    case .drained(let cut):
      writer.byte(12)
      writer.integer(cut)
    case .trustApplied(let number):
      writer.byte(13)
      writer.integer(number)
    case .trustRejected(let number, let reason):
      writer.byte(14)
      writer.integer(number)
      writer.text(reason)
    }
  }

  init(from reader: inout Reader) throws(DecodingError) {
    switch try reader.byte() {
    case 0: self = .hello(try Hello(from: &reader))
    case 1: self = .podListening(uid: try reader.text())
    case 2: self = .podFailed(uid: try reader.text(), reason: try reader.text())
    case 3: self = .podRemoved(uid: try reader.text())
    case 4:
      self = .signingRequest(
        SigningRequest(identity: try SPIFFEID(from: &reader), request: try reader.blob()))
    case 5: self = .modelApplied(generation: try reader.integer())
    case 6:
      self = .modelRejected(generation: try reader.integer(), reason: try reader.text())
    case 7: self = .canaryArrived(uid: try reader.text(), nonce: try reader.integer())
    case 9: self = .connectionsClosed(try reader.list())
    case 10: self = .refused(try Refusal(from: &reader))
    case 11:
      self = .inspection(request: try reader.integer(), try Inspection(from: &reader))
    case 12: self = .drained(cut: try reader.integer())
    case 13: self = .trustApplied(number: try reader.integer())
    case 14: self = .trustRejected(number: try reader.integer(), reason: try reader.text())
    case 15: self = .dnsListening(uid: try reader.text())
    case let tag: throw reader.unknown(tag, of: .tunnelMessage)
    }
  }
}

extension Hello: Coded {
  func write(to writer: inout Writer) {
    writer.integer(version)
    writer.signed(Int64(processID))
    writer.integer(generation)
    writer.list(pods)
    writer.list(identities)
  }

  init(from reader: inout Reader) throws(DecodingError) {
    let version = try reader.integer(as: UInt16.self)
    let start = reader.offset
    guard let processID = Int32(exactly: try reader.signed()) else {
      throw .overflow(offset: start)
    }
    self.init(
      version: version, processID: processID, generation: try reader.integer(),
      pods: try reader.list(), identities: try reader.list())
  }
}

extension Inspection: Coded {
  func write(to writer: inout Writer) {
    switch self {
    case .summary(let summary):
      writer.byte(InspectionSection.summary.rawValue)
      summary.write(to: &writer)
    case .connections(let records):
      writer.byte(InspectionSection.connections.rawValue)
      writer.list(records)
    case .tunnels(let records):
      writer.byte(InspectionSection.tunnels.rawValue)
      writer.list(records)
    case .certificates(let records):
      writer.byte(InspectionSection.certificates.rawValue)
      writer.list(records)
    case .metrics(let samples):
      writer.byte(InspectionSection.metrics.rawValue)
      writer.list(samples)
    case .dns(let samples):
      writer.byte(InspectionSection.dns.rawValue)
      writer.list(samples)
    }
  }

  init(from reader: inout Reader) throws(DecodingError) {
    let section: InspectionSection = try reader.member(.inspection)
    switch section {
    case .summary: self = .summary(try Summary(from: &reader))
    case .connections: self = .connections(try reader.list())
    case .tunnels: self = .tunnels(try reader.list())
    case .certificates: self = .certificates(try reader.list())
    case .metrics: self = .metrics(try reader.list())
    case .dns: self = .dns(try reader.list())
    }
  }
}
