/// A kind of object as the API has it.
public struct Resource: Hashable, Sendable {
  /// Empty for the core group.
  public var group: String
  /// The versions we read, the best first.
  public var versions: [String]
  /// As in a URL, such as `endpointslices`.
  public var plural: String
  public var kind: String

  public init(group: String = "", versions: [String] = ["v1"], plural: String, kind: String) {
    self.group = group
    self.versions = versions
    self.plural = plural
    self.kind = kind
  }

  public var apiVersions: [String] {
    versions.map { group.isEmpty ? $0 : "\(group)/\($0)" }
  }

  /// The first of them, for what is always there.
  var apiVersion: String { apiVersions[0] }

  /// The path of all of them, of those of a namespace, or of one.
  func path(
    _ apiVersion: String, namespace: String = "", name: String = "", part: String = ""
  ) -> String {
    var path = Self.root(apiVersion)
    if !namespace.isEmpty { path += "/namespaces/\(encoded(namespace))" }
    path += "/\(plural)"
    if !name.isEmpty { path += "/\(encoded(name))" }
    if !part.isEmpty { path += "/\(part)" }
    return path
  }

  /// Where a group's version is served.
  static func root(_ apiVersion: String) -> String {
    apiVersion.contains("/") ? "/apis/\(apiVersion)" : "/api/\(apiVersion)"
  }
}

/// A piece of a path or a query, with everything but plain characters in percents.
func encoded(_ text: String) -> String {
  var result = ""
  for byte in text.utf8 {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
      UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."),
      UInt8(ascii: "_"), UInt8(ascii: "~"):
      result.unicodeScalars.append(Unicode.Scalar(byte))
    default:
      let digits = String(byte, radix: 16, uppercase: true)
      result += "%" + (byte < 16 ? "0" : "") + digits
    }
  }
  return result
}
