/// Why a client did not take a resource.
public enum Rejection: Error, Hashable, Sendable {
  /// Not bytes of the message it claims to be.
  case undecodable
  /// No content.
  case empty
  case wrongType(String)
  /// The resource has another name than its envelope.
  case wrongName(expected: String)
  /// Twice in one response, with different content.
  case duplicateName
  case nameTooLong(bytes: Int)
  case versionTooLong(bytes: Int)
  case tooLarge(bytes: Int)
  /// More resources than a client holds.
  case tooMany
  case field(FieldError)
}

extension Rejection: CustomStringConvertible {
  public var description: String {
    switch self {
    case .undecodable: "is not a message of its type"
    case .empty: "has no content"
    case .wrongType(let url): "is of type '\(url)', which was not asked for"
    case .wrongName(let expected): "holds '\(expected)'"
    case .duplicateName: "is there twice with different content"
    case .nameTooLong(let bytes): "has a name of \(bytes) bytes, the limit is \(Limit.nameBytes)"
    case .versionTooLong(let bytes):
      "has a version of \(bytes) bytes, the limit is \(Limit.versionBytes)"
    case .tooLarge(let bytes): "has \(bytes) bytes, the limit is \(Limit.resourceBytes)"
    case .tooMany:
      "is one too many, the limit is \(Limit.heldResources) resources and \(Limit.heldBytes) bytes"
    case .field(let error): "\(error)"
    }
  }
}

/// A resource that was not taken, or could not be sent.
public struct RejectedResource: Error, Hashable, Sendable {
  public let type: ResourceType
  /// At most `Limit.nameBytes`.
  public let name: String
  public let reason: Rejection

  init(type: ResourceType, name: String, reason: Rejection) {
    self.type = type
    self.name = clipped(name, toBytes: Limit.nameBytes)
    self.reason = reason
  }
}

extension RejectedResource: CustomStringConvertible {
  public var description: String { "\(clipped(name)): \(reason)" }
}
