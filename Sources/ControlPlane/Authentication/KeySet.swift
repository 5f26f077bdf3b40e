import FoundationEssentials
import JWTKit
import MeshModel

/// The public keys of an issuer (JWKS), and what they prove about a token.
struct KeySet: Sendable {
  enum Limit {
    static let keys = 100
    static let bytes = 1 << 20
    static let tokenBytes = 32 << 10
  }

  /// Signatures that are taken; a secret shared by both ends (HS256) or none at all never are.
  static let algorithms: [String: JWK.KeyType] = [
    "RS256": .rsa, "RS384": .rsa, "RS512": .rsa, "PS256": .rsa, "PS384": .rsa, "PS512": .rsa,
    "ES256": .ecdsa, "ES384": .ecdsa, "ES512": .ecdsa, "EdDSA": .octetKeyPair,
  ]

  private let keys: [JWK]

  /// Nil when there is no usable key: an issuer without keys proves nothing.
  init?(json: [UInt8]) {
    do {
      let keys = try JSONDecoder().decode(LenientKeys.self, from: Data(json)).keys
      guard !keys.isEmpty, keys.count <= Limit.keys else { return nil }
      self.keys = keys
    } catch {
      return nil
    }
  }

  var count: Int { keys.count }

  /// The claims of a token that one of these keys signed; nothing is said of what they claim.
  func claims(in token: String) async throws(AuthenticationFailure) -> TokenClaims {
    guard token.utf8.count <= Limit.tokenBytes else {
      throw .malformedToken(reason: "\(token.utf8.count) bytes, at most \(Limit.tokenBytes)")
    }
    let header = try header(of: token)
    let candidates = keys.compactMap { candidate($0, header) }
    guard !candidates.isEmpty else { throw .unknownKey(header.keyIdentifier ?? "without a name") }
    for key in candidates {
      do {
        let ring = try await JWTKeyCollection().add(jwk: key)
        return try await ring.verify(token, as: Payload.self).claims
      } catch {
        // Not signed by this key; another of the same name or of none may have.
      }
    }
    throw .badSignature
  }

  private struct Header {
    var keyIdentifier: String?
    var algorithm: String
  }

  private func header(of token: String) throws(AuthenticationFailure) -> Header {
    let fields: [String: JWTHeaderField]
    do {
      fields = try DefaultJWTParser().parse(Array(token.utf8), as: Payload.self).header.fields
    } catch {
      throw .malformedToken(reason: "\(error)")
    }
    // An extension that must be understood, and is not; RFC 7515, section 4.1.11.
    guard fields["crit"] == nil else { throw .malformedToken(reason: "it has crit") }
    guard let algorithm = fields["alg"]?.asString, Self.algorithms[algorithm] != nil else {
      throw .algorithmNotAllowed(fields["alg"]?.asString ?? "nothing")
    }
    return Header(keyIdentifier: fields["kid"]?.asString, algorithm: algorithm)
  }

  /// The key with the header's algorithm in place, if it may have made the signature.
  private func candidate(_ key: JWK, _ header: Header) -> JWK? {
    guard key.keyType == Self.algorithms[header.algorithm],
      key.algorithm.map({ $0.rawValue == header.algorithm }) ?? true,
      header.keyIdentifier.map({ $0 == key.keyIdentifier?.string }) ?? true
    else { return nil }
    var candidate = key
    candidate.algorithm = JWK.Algorithm(rawValue: header.algorithm)
    candidate.keyIdentifier = JWKIdentifier(string: header.keyIdentifier ?? "key")
    return candidate
  }
}

/// A key set without the keys that are of a kind unknown here.
private struct LenientKeys: Decodable {
  var keys: [JWK] = []

  private enum Keys: CodingKey {
    case keys
  }

  private struct Anything: Decodable {
    init(from decoder: any Decoder) throws {}
  }

  init(from decoder: any Decoder) throws {
    var list = try decoder.container(keyedBy: Keys.self).nestedUnkeyedContainer(forKey: .keys)
    while !list.isAtEnd {
      do {
        keys.append(try list.decode(JWK.self))
      } catch {
        // Passed over: an issuer may add kinds of keys that nobody has to know.
        _ = try list.decode(Anything.self)
      }
    }
  }
}

private struct Payload: JWTPayload {
  var iss: String
  var sub: String
  var aud: AudienceClaim
  var exp: Double
  var nbf: Double?
  var kubernetes: TokenClaims.Kubernetes?

  enum CodingKeys: String, CodingKey {
    case iss, sub, aud, exp, nbf
    case kubernetes = "kubernetes.io"
  }

  /// Only the signature: `TokenRules` looks at the claims.
  func verify(using algorithm: some JWTAlgorithm) {}

  var claims: TokenClaims {
    TokenClaims(
      issuer: iss, subject: sub, audiences: aud.value, expires: WallTime(secondsSinceEpoch: exp),
      notBefore: nbf.map { WallTime(secondsSinceEpoch: $0) }, kubernetes: kubernetes)
  }
}
