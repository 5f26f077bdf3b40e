import SwiftASN1
import X509

/// Revocation lists in force: which chains they take back.
///
/// What no list speaks of is not taken back, and a list past its next update still counts. Source:
/// ambient-protocol.md, 1.1, "CRL".
public struct Revocations: Sendable {
  private let lists: [RevocationList]

  public init(_ lists: [RevocationList]) {
    self.lists = lists
  }

  public var entryCount: Int { lists.reduce(0) { $0 + $1.entryCount } }

  /// The lowest revoked certificate of a verified chain, leaf to root, by its place above the leaf.
  public func revokedPlace(in chain: [[UInt8]]) -> Int? {
    guard entryCount > 0 else { return nil }
    do {
      let certificates = try chain.map { try Certificate(derEncoded: $0) }
      return certificates.indices.first { place in
        let issuer = certificates[min(place + 1, certificates.count - 1)]
        return lists.contains { $0.revokes(certificates[place], issuedBy: issuer) }
      }
    } catch {
      // Nobody can say that what cannot be read was not taken back.
      return 0
    }
  }
}
