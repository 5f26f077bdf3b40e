import Crypto
import SwiftASN1
import X509

/// A request for a certificate, in PEM; its subject and names are nothing the authority looks at.
func signingRequest(named name: String = "nobody") throws -> String {
  let key = Certificate.PrivateKey(P256.Signing.PrivateKey())
  let request = try CertificateSigningRequest(
    version: .v1, subject: try DistinguishedName { CommonName(name) }, privateKey: key,
    attributes: CertificateSigningRequest.Attributes(), signatureAlgorithm: .ecdsaWithSHA256)
  return try request.serializeAsPEM().pemString
}

func certificates(in text: String) throws -> [Certificate] {
  try PEMDocument.parseMultiple(pemString: text).map { try Certificate(pemDocument: $0) }
}

extension Certificate {
  var uris: [String] {
    get throws {
      try extensions.subjectAlternativeNames?.compactMap { name in
        guard case .uniformResourceIdentifier(let uri) = name else { return nil }
        return uri
      } ?? []
    }
  }
}
