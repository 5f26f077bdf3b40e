import MeshModel

extension ResponseFlag: Coded {
  /// The position in `allCases`; new flags are added at the end.
  func write(to writer: inout Writer) {
    writer.byte(UInt8(Self.allCases.firstIndex(of: self) ?? 0))
  }

  init(from reader: inout Reader) throws(DecodingError) {
    let index = Int(try reader.byte())
    guard index < Self.allCases.count else {
      throw reader.unknown(UInt8(index), of: .responseFlag)
    }
    self = Self.allCases[index]
  }
}

extension ConnectionRecord: Coded {
  func write(to writer: inout Writer) {
    writer.integer(id)
    writer.byte(direction.rawValue)
    writer.byte(transport.rawValue)
    writer.text(podUID)
    writer.text(sourceWorkload)
    writer.text(destinationWorkload)
    writer.optional(sourceIdentity)
    writer.optional(destinationIdentity)
    source.write(to: &writer)
    originalDestination.write(to: &writer)
    destination.write(to: &writer)
    writer.optional(service)
    opened.write(to: &writer)
    duration.write(to: &writer)
    writer.integer(receivedBytes)
    writer.integer(sentBytes)
    flag.write(to: &writer)
    writer.text(reason)
    writer.list(dryRunMatches)
  }

  init(from reader: inout Reader) throws(DecodingError) {
    let id = try reader.integer()
    let direction: Direction = try reader.member(.direction)
    let transport: Transport = try reader.member(.transport)
    let podUID = try reader.text()
    let sourceWorkload = try reader.text()
    let destinationWorkload = try reader.text()
    let sourceIdentity = try reader.optional(SPIFFEID.self)
    let destinationIdentity = try reader.optional(SPIFFEID.self)
    let source = try SocketAddress(from: &reader)
    let originalDestination = try SocketAddress(from: &reader)
    let destination = try SocketAddress(from: &reader)
    let service = try reader.optional(ServiceKey.self)
    self.init(
      id: id, direction: direction, source: source, opened: try WallTime(from: &reader))
    self.transport = transport
    self.podUID = podUID
    self.sourceWorkload = sourceWorkload
    self.destinationWorkload = destinationWorkload
    self.sourceIdentity = sourceIdentity
    self.destinationIdentity = destinationIdentity
    self.originalDestination = originalDestination
    self.destination = destination
    self.service = service
    duration = try Duration(from: &reader)
    receivedBytes = try reader.integer()
    sentBytes = try reader.integer()
    flag = try ResponseFlag(from: &reader)
    reason = try reader.text()
    dryRunMatches = try reader.list()
  }
}

extension Refusal: Coded {
  func write(to writer: inout Writer) {
    writer.integer(id)
    writer.byte(direction.rawValue)
    at.write(to: &writer)
    writer.integer(generation)
    writer.text(podUID)
    writer.optional(sourceIdentity)
    writer.optional(destinationIdentity)
    source.write(to: &writer)
    destination.write(to: &writer)
    cause.write(to: &writer)
    writer.boolean(endedLiveConnection)
  }

  init(from reader: inout Reader) throws(DecodingError) {
    let id = try reader.integer()
    let direction: Direction = try reader.member(.direction)
    let at = try WallTime(from: &reader)
    let generation = try reader.integer()
    let podUID = try reader.text()
    self.init(
      id: id, direction: direction, at: at, generation: generation,
      sourceIdentity: try reader.optional(), destinationIdentity: try reader.optional(),
      source: try SocketAddress(from: &reader), destination: try SocketAddress(from: &reader),
      cause: try Cause(from: &reader), endedLiveConnection: try reader.boolean(), podUID: podUID)
  }
}

extension Refusal.Cause: Coded {
  func write(to writer: inout Writer) {
    switch self {
    case .policy(let denial):
      writer.byte(0)
      denial.write(to: &writer)
    case .peer(let status, let reason):
      writer.byte(1)
      writer.integer(status)
      writer.text(reason)
    case .failure(let flag, let reason):
      writer.byte(2)
      flag.write(to: &writer)
      writer.text(reason)
    }
  }

  init(from reader: inout Reader) throws(DecodingError) {
    switch try reader.byte() {
    case 0: self = .policy(try Verdict.Denial(from: &reader))
    case 1: self = .peer(status: try reader.integer(), reason: try reader.text())
    case 2: self = .failure(flag: try ResponseFlag(from: &reader), reason: try reader.text())
    case let tag: throw reader.unknown(tag, of: .cause)
    }
  }
}

extension Summary: Coded {
  func write(to writer: inout Writer) {
    writer.integer(generation)
    writer.integer(threads)
    writer.integer(pods)
    writer.integer(liveConnections)
    writer.integer(tunnelConnections)
    writer.integer(residentBytes)
    writer.integer(openDescriptors)
    writer.integer(silentWorkers)
    writer.integer(droppedRecords)
    writer.integer(failedAccepts)
    writer.integer(revokedInbound)
    writer.integer(revokedOutbound)
    writer.boolean(isDraining)
  }

  init(from reader: inout Reader) throws(DecodingError) {
    self.init()
    generation = try reader.integer()
    threads = try reader.integer()
    pods = try reader.integer()
    liveConnections = try reader.integer()
    tunnelConnections = try reader.integer()
    residentBytes = try reader.integer()
    openDescriptors = try reader.integer()
    silentWorkers = try reader.integer()
    droppedRecords = try reader.integer()
    failedAccepts = try reader.integer()
    revokedInbound = try reader.integer()
    revokedOutbound = try reader.integer()
    isDraining = try reader.boolean()
  }
}

extension TunnelRecord: Coded {
  func write(to writer: inout Writer) {
    writer.byte(direction.rawValue)
    writer.text(podUID)
    peer.write(to: &writer)
    writer.optional(peerIdentity)
    localIdentity.write(to: &writer)
    writer.integer(liveStreams)
    writer.integer(totalStreams)
    age.write(to: &writer)
    writer.text(state)
  }

  init(from reader: inout Reader) throws(DecodingError) {
    self.init(
      direction: try reader.member(.direction), podUID: try reader.text(),
      peer: try SocketAddress(from: &reader), peerIdentity: try reader.optional(),
      localIdentity: try SPIFFEID(from: &reader), liveStreams: try reader.integer(),
      totalStreams: try reader.integer(), age: try Duration(from: &reader),
      state: try reader.text())
  }
}

extension CertificateRecord: Coded {
  func write(to writer: inout Writer) {
    identity.write(to: &writer)
    writer.text(serialNumber)
    notBefore.write(to: &writer)
    notAfter.write(to: &writer)
    renewal.write(to: &writer)
    writer.text(state)
    writer.integer(rootCount)
  }

  init(from reader: inout Reader) throws(DecodingError) {
    self.init(
      identity: try SPIFFEID(from: &reader), serialNumber: try reader.text(),
      notBefore: try WallTime(from: &reader), notAfter: try WallTime(from: &reader),
      renewal: try WallTime(from: &reader), state: try reader.text(),
      rootCount: try reader.integer())
  }
}

extension MetricSample: Coded {
  func write(to writer: inout Writer) {
    writer.byte(reporter.rawValue)
    writer.text(sourceWorkload)
    writer.text(destinationWorkload)
    writer.optional(sourceIdentity)
    writer.optional(destinationIdentity)
    writer.optional(service)
    writer.boolean(isMutualTLS)
    flag.write(to: &writer)
    writer.integer(opened)
    writer.integer(closed)
    writer.integer(failed)
    writer.integer(receivedBytes)
    writer.integer(sentBytes)
  }

  init(from reader: inout Reader) throws(DecodingError) {
    self.init(
      reporter: try reader.member(.direction), sourceWorkload: try reader.text(),
      destinationWorkload: try reader.text(), sourceIdentity: try reader.optional(),
      destinationIdentity: try reader.optional(), service: try reader.optional(),
      isMutualTLS: try reader.boolean(), flag: try ResponseFlag(from: &reader))
    opened = try reader.integer()
    closed = try reader.integer()
    failed = try reader.integer()
    receivedBytes = try reader.integer()
    sentBytes = try reader.integer()
  }
}
