import Crypto
public import MeshModel
import SwiftASN1
import X509

/// An authority that somebody else keeps, such as a Secret of type kubernetes.io/tls.
///
/// Not printable: it holds the key.
public struct AuthorityTexts: Hashable, Sendable {
  /// Where it is kept, for messages: `Secret skein-system/skein-ca`.
  public var place: String
  /// The issuing certificate, then any more up to its root, which is trusted; PEM.
  public var certificate: String
  /// Its key; PEM.
  public var key: String
  /// More roots to trust: the one above an intermediate, the other one during a root change; PEM.
  public var roots: String?

  public init(place: String, certificate: String, key: String, roots: String? = nil) {
    self.place = place
    self.certificate = certificate
    self.key = key
    self.roots = roots
  }

  /// A new key, and a root for ten years that trusts itself.
  public static func made(
    place: String, trustDomain: String, now: WallTime
  ) throws(AuthorityError) -> AuthorityTexts {
    let key = P256.Signing.PrivateKey()
    let root = try Issuer.selfSigned(
      Certificate.PrivateKey(key), trustDomain: trustDomain, now: now)
    do {
      let certificate = try root.serializeAsPEM().pemString + "\n"
      return AuthorityTexts(
        place: place, certificate: certificate, key: key.pemRepresentation + "\n",
        roots: certificate)
    } catch {
      throw .library(reason: "\(error)")
    }
  }
}

extension AuthorityTexts: CustomStringConvertible, CustomDebugStringConvertible {
  public var description: String { place }
  public var debugDescription: String { place }
}

extension AuthorityFiles {
  /// What a Secret holds, as if it were our directory.
  init(_ texts: AuthorityTexts) throws(AuthorityError) {
    let layout = AuthorityLayout(
      certificate: "\(texts.place), tls.crt", key: "\(texts.place), tls.key", chain: nil,
      roots: nil, moreRoots: "\(texts.place), ca.crt")
    let roots = [File(path: layout.moreRoots, text: texts.roots ?? "")]
    self.init(
      layout: layout, certificate: File(path: layout.certificate, text: texts.certificate),
      key: File(path: layout.key, text: texts.key), chain: nil,
      roots: roots.filter { !$0.text.isEmpty })
    for file in [certificate, key] + self.roots {
      let bytes = file.text.utf8.count
      guard bytes <= AuthorityLimit.bytesPerFile else {
        throw .tooLarge(path: file.path, bytes: bytes)
      }
    }
  }
}
