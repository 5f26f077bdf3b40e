import FoundationEssentials
import JWTKit

/// An OpenID Connect issuer with a key or two.
struct Issuer {
  static let url = "https://issuer.example"
  private var keys: [String: ES256PrivateKey] = [:]

  init(keys names: String...) {
    for name in names { add(name) }
  }

  mutating func add(_ name: String) { keys[name] = ES256PrivateKey() }
  mutating func remove(_ name: String) { keys[name] = nil }

  /// What it publishes.
  var keySet: String {
    let rows = keys.sorted { $0.key < $1.key }.map { name, key in
      let (x, y) = key.parameters.map { ($0.x, $0.y) } ?? ("", "")
      return """
        {"kty":"EC","crv":"P-256","alg":"ES256","use":"sig","kid":"\(name)",
         "x":"\(base64URL(x))","y":"\(base64URL(y))"}
        """
    }
    return "{\"keys\":[{\"kty\":\"unheard-of\"},\(rows.joined(separator: ","))]}"
  }

  struct Claims: JWTPayload {
    var iss = Issuer.url
    var sub = "system:serviceaccount:istio-system:ztunnel"
    var aud = ["istio-ca"]
    var exp = Date().timeIntervalSince1970 + 600
    var nbf: Double?
    var kubernetes: [String: JSONValue]?

    enum CodingKeys: String, CodingKey {
      case iss, sub, aud, exp, nbf
      case kubernetes = "kubernetes.io"
    }

    func verify(using algorithm: some JWTAlgorithm) {}

    /// Of a node agent's pod, as a cluster of 1.32 and later words it.
    static func agent(of node: String) -> Self {
      var claims = Claims()
      claims.kubernetes = [
        "namespace": .text("istio-system"),
        "serviceaccount": .names(["name": "ztunnel", "uid": "1"]),
        "pod": .names(["name": "ztunnel-x", "uid": "2"]),
        "node": .names(["name": node, "uid": "3"]),
      ]
      return claims
    }
  }

  enum JSONValue: Codable, Sendable {
    case text(String)
    case names([String: String])

    init(from decoder: any Decoder) throws {
      let container = try decoder.singleValueContainer()
      do {
        self = .text(try container.decode(String.self))
      } catch {
        self = .names(try container.decode([String: String].self))
      }
    }

    func encode(to encoder: any Encoder) throws {
      var container = encoder.singleValueContainer()
      switch self {
      case .text(let text): try container.encode(text)
      case .names(let names): try container.encode(names)
      }
    }
  }

  func token(_ claims: Claims, key name: String) async throws -> String {
    guard let key = keys[name] else { throw NoSuchKey() }
    let ring = await JWTKeyCollection().add(ecdsa: key, kid: JWKIdentifier(string: name))
    return try await ring.sign(claims, kid: JWKIdentifier(string: name))
  }

  struct NoSuchKey: Error {}
}

private func base64URL(_ text: String) -> String {
  text.map { $0 == "+" ? "-" : $0 == "/" ? "_" : "\($0)" }.joined().filter { $0 != "=" }
}
