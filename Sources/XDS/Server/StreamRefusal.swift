/// Why a server ends a stream.
public enum StreamRefusal: Error, Hashable, Sendable {
  /// The first request does not say who asks.
  case missingNode
  /// An id that is not `ztunnel~<address>~<pod>.<namespace>~<domain>`.
  case malformedNode(String)
  case nameTooLong(bytes: Int)
  case tooManyNames
  /// The client took so long to acknowledge that the changes since are no longer known by name;
  /// on a new stream it claims what it has and is sent the difference.
  case behind
}

extension StreamRefusal {
  /// The status code that a gRPC server answers with.
  public var statusCode: Int {
    switch self {
    case .missingNode, .malformedNode, .nameTooLong: 3  // INVALID_ARGUMENT
    case .tooManyNames: 8  // RESOURCE_EXHAUSTED
    case .behind: 10  // ABORTED
    }
  }
}

extension StreamRefusal: CustomStringConvertible {
  public var description: String {
    switch self {
    case .missingNode: "the first request must carry the node"
    case .malformedNode(let id):
      "node id '\(clipped(id))' is not ztunnel~<address>~<pod>.<namespace>~<domain>"
    case .nameTooLong(let bytes):
      "a resource name has \(bytes) bytes, the limit is \(Limit.nameBytes)"
    case .tooManyNames: "more than \(Limit.subscriptions) names on one stream; subscribe to all"
    case .behind: "too many changes since the last acknowledgement; connect again"
    }
  }
}
