/// What is wrong with a field of a resource.
public struct FieldError: Error, Hashable, Sendable {
  public enum Problem: Hashable, Sendable {
    case missing
    /// Neither 4 nor 16 bytes.
    case addressBytes(Int)
    /// Longer than the address.
    case prefixLength(Int)
    /// Above 65535.
    case port(UInt32)
    /// A number that the API does not define, or one that means nothing.
    case unknownValue(Int)
    /// Not of the form `<namespace>/<name>`.
    case malformedName(String)
    /// Trust domain, namespace and service account do not make a SPIFFE id.
    case malformedIdentity(String)
  }

  /// As the API spells it: `ports[2].target_port`.
  public let field: String
  public let problem: Problem

  init(_ field: String, _ problem: Problem) {
    self.field = field
    self.problem = problem
  }
}

extension FieldError: CustomStringConvertible {
  public var description: String { "\(field) \(problem)" }
}

extension FieldError.Problem: CustomStringConvertible {
  public var description: String {
    switch self {
    case .missing: "is missing"
    case .addressBytes(let count): "has \(count) bytes, an address has 4 or 16"
    case .prefixLength(let length): "is \(length), longer than its address"
    case .port(let port): "is \(port), a port is at most 65535"
    case .unknownValue(let value): "is \(value), which is not known"
    case .malformedName(let name): "is '\(clipped(name))', not <namespace>/<name>"
    case .malformedIdentity(let uri): "give '\(clipped(uri))', which is no SPIFFE id"
    }
  }
}

/// Enough of a foreign text to recognise it.
func clipped(_ text: String, toBytes limit: Int = 128) -> String {
  guard text.utf8.count > limit else { return text }
  return String(decoding: text.utf8.prefix(limit), as: UTF8.self) + "..."
}
