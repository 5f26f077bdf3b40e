internal import IstioAPI
internal import MeshModel
internal import SwiftProtobuf

/// Why a snapshot was not read back; a client then starts with nothing.
public enum SnapshotError: Error, Hashable, Sendable {
  /// Not a snapshot of this format.
  case otherFormat
  /// Cut off, or changed on the disk.
  case damaged
  case tooLarge(bytes: Int)
  case rejected(RejectedResource)
}

extension SnapshotError: CustomStringConvertible {
  public var description: String {
    switch self {
    case .otherFormat: "is not a snapshot of this version; it will be written anew"
    case .damaged: "is damaged; it will be written anew"
    case .tooLarge(let bytes): "has \(bytes) bytes, the limit is \(Limit.snapshotBytes)"
    case .rejected(let resource): "holds a resource that is not valid: \(resource)"
    }
  }
}

// A snapshot is a line of text, a hash of the rest (8 bytes, big-endian), and for each type the
// length (8 bytes, big-endian) and the bytes of a response that holds all resources of the type.

extension DiscoveryClient {
  /// Raise the number when the model learns a field: the versions in older snapshots stand for
  /// resources whose field was dropped.
  private static let format = Array("skein discovery snapshot 1\n".utf8)

  /// Everything that is known and good, with its versions, for a file.
  public func snapshot() -> [UInt8] {
    var body: [UInt8] = []
    for type in ResourceType.allCases {
      let response = Self.encoded(whole(type))
      body += Self.bigEndian(UInt64(response.count))
      body += response
    }
    return Self.format + Self.bigEndian(contentHash(body.span)) + body
  }

  /// A client that knows what another one knew.
  public init(
    node: NodeDescription, onDemand: Bool = false, restoring snapshot: [UInt8]
  ) throws(SnapshotError) {
    self.init(node: node, onDemand: onDemand)
    guard snapshot.count <= Limit.snapshotBytes else { throw .tooLarge(bytes: snapshot.count) }
    guard snapshot.starts(with: Self.format) else { throw .otherFormat }
    var rest = snapshot.dropFirst(Self.format.count)
    guard let hash = Self.number(from: &rest) else { throw .damaged }
    let body = Array(rest)
    guard contentHash(body.span) == hash else { throw .damaged }
    rest = body[...]
    for type in ResourceType.allCases {
      guard let count = Self.number(from: &rest), count <= rest.count else { throw .damaged }
      let response: DeltaDiscoveryResponse
      do throws(Rejection) {
        response = try message(Array(rest.prefix(Int(count))))
      } catch {
        throw .damaged
      }
      rest = rest.dropFirst(Int(count))
      guard response.typeURL == type.typeURL else { throw .damaged }
      if let rejected = receive(response).rejected.first { throw .rejected(rejected) }
    }
    guard rest.isEmpty else { throw .damaged }
    // Nothing was heard from a server yet.
    addresses.isAnswered = false
    policies.isAnswered = false
  }

  private func whole(_ type: ResourceType) -> DeltaDiscoveryResponse {
    var response = DeltaDiscoveryResponse()
    response.typeURL = type.typeURL
    let contents: [MeshResource] =
      switch type {
      case .address:
        model.workloads.values.map { .workload($0) } + model.services.values.map { .service($0) }
      case .authorization: model.policies.values.map { .policy($0) }
      }
    let holding = holding(type)
    for content in contents {
      do throws(Rejection) {
        var (envelope, _) = try content.enveloped()
        envelope.version = holding.known[envelope.name]?.version ?? ""
        response.resources.append(envelope)
      } catch {
        // One that grew over the limit by our own encoding: it will be asked for again.
        continue
      }
    }
    return response
  }

  private static func encoded(_ response: DeltaDiscoveryResponse) -> [UInt8] {
    do {
      return try response.serializedBytes()
    } catch {
      // More than 2 GiB: an empty answer is read back as nothing known.
      return []
    }
  }

  private static func bigEndian(_ number: UInt64) -> [UInt8] {
    (0..<8).map { UInt8(truncatingIfNeeded: number >> UInt64(56 - 8 * $0)) }
  }

  private static func number(from bytes: inout ArraySlice<UInt8>) -> UInt64? {
    guard bytes.count >= 8 else { return nil }
    defer { bytes = bytes.dropFirst(8) }
    return bytes.prefix(8).reduce(0) { $0 << 8 | UInt64($1) }
  }
}
