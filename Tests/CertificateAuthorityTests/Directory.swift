import Crypto
import FoundationEssentials
import MeshModel
import SwiftASN1
import X509

/// A directory of its own for one test, gone with the value.
final class Directory {
  let path: String

  init() {
    path = "\(FileManager.default.temporaryDirectory.path)/skein-ca-\(UUID().uuidString)"
  }

  deinit {
    do {
      try FileManager.default.removeItem(atPath: path)
    } catch {
      // The test made nothing, or removed it: there is nothing to clean up.
    }
  }

  func text(_ name: String) throws -> String {
    String(decoding: try Data(contentsOf: URL(filePath: "\(path)/\(name)")), as: UTF8.self)
  }

  func write(_ text: String, to name: String, mode: Int = 0o600) throws {
    let file = "\(path)/\(name)"
    let parent = URL(filePath: file).deletingLastPathComponent().path
    try FileManager.default.createDirectory(atPath: parent, withIntermediateDirectories: true)
    try Data(text.utf8).write(to: URL(filePath: file))
    try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: file)
  }

  func remove(_ name: String) throws {
    try FileManager.default.removeItem(atPath: "\(path)/\(name)")
  }

  func mode(_ name: String) throws -> Int? {
    try FileManager.default.attributesOfItem(atPath: "\(path)/\(name)")[.posixPermissions] as? Int
  }

  var names: [String] {
    get throws { try FileManager.default.contentsOfDirectory(atPath: path).sorted() }
  }
}

/// A self-signed certificate, or one under another, with its key.
struct Root {
  let key: Certificate.PrivateKey
  let certificate: Certificate

  init(
    _ name: String, under parent: Root? = nil, isAuthority: Bool = true,
    from begin: Date = Date(timeIntervalSinceNow: -60),
    to end: Date = Date(timeIntervalSinceNow: 86_400)
  ) throws {
    key = Certificate.PrivateKey(P256.Signing.PrivateKey())
    let subject = try DistinguishedName { CommonName(name) }
    certificate = try Certificate(
      version: .v3, serialNumber: Certificate.SerialNumber(), publicKey: key.publicKey,
      notValidBefore: begin, notValidAfter: end, issuer: parent?.certificate.subject ?? subject,
      subject: subject,
      extensions: try Certificate.Extensions {
        if isAuthority {
          Critical(BasicConstraints.isCertificateAuthority(maxPathLength: nil))
          Critical(KeyUsage(keyCertSign: true))
        } else {
          Critical(BasicConstraints.notCertificateAuthority)
        }
      },
      issuerPrivateKey: parent?.key ?? key)
  }

  var certificatePEM: String { get throws { try certificate.serializeAsPEM().pemString } }
  var keyPEM: String { get throws { try key.serializeAsPEM().pemString } }

  var der: [UInt8] {
    get throws {
      var serializer = DER.Serializer()
      try serializer.serialize(certificate)
      return serializer.serializedBytes
    }
  }
}

extension WallTime {
  static var now: WallTime { WallTime(secondsSinceEpoch: Date().timeIntervalSince1970) }
}
