import FoundationEssentials
import MeshModel
import SwiftASN1
import Testing

@testable import CertificateAuthority

/// Made by openssl: a root, a list of it, the same list with another serial number in it, and
/// another root of the same name.
private enum Sample {
  static let root = """
    -----BEGIN CERTIFICATE-----
    MIIBjzCCATWgAwIBAgIUJ0qJIkbrDKk7PlmLb7plZzp4BQYwCgYIKoZIzj0EAwIw
    FDESMBAGA1UEAwwJYXV0aG9yaXR5MCAXDTI2MTEyMTE3MTIxM1oYDzIxMjYxMDI4
    MTcxMjEzWjAUMRIwEAYDVQQDDAlhdXRob3JpdHkwWTATBgcqhkjOPQIBBggqhkjO
    PQMBBwNCAATpp9l6UX5PZrk6/vGd2oXQH0EsksPsPkdeERYAo2uxTPqZGTtJP8ow
    CXL6LJ9ckI06iWQBk6zxq7y1s+KkYPjio2MwYTAdBgNVHQ4EFgQUVVTpugH3qYJH
    sh4lEeATv2biEncwHwYDVR0jBBgwFoAUVVTpugH3qYJHsh4lEeATv2biEncwDwYD
    VR0TAQH/BAUwAwEB/zAOBgNVHQ8BAf8EBAMCAQYwCgYIKoZIzj0EAwIDSAAwRQIg
    KdBuwfaeHFTcffnXgLPML1FeTfHo0sgyjk5Q7xVC0NwCIQCtn7CH7+MX1HP79dO+
    Yu+iK0Cduc/1PtfVXLEsPWigLw==
    -----END CERTIFICATE-----
    """
  static let list = """
    -----BEGIN X509 CRL-----
    MIGyMFkwCgYIKoZIzj0EAwIwFDESMBAGA1UEAwwJYXV0aG9yaXR5Fw0yNjExMjEx
    NzEyMTNaGA8yMTI2MTAyODE3MTIxM1owFTATAgILrRcNMjUxMTAxMDAwMDAwWjAK
    BggqhkjOPQQDAgNJADBGAiEAt7eIeVasClZwEsKrhqAxVlnTAD7nKhx27ifXOzoD
    HEwCIQD0d+Y4wqyEQFeqGtG69/i1VixyQAtHI1LY8pv1KjIPXg==
    -----END X509 CRL-----
    """
  static let forged = """
    -----BEGIN X509 CRL-----
    MIGyMFkwCgYIKoZIzj0EAwIwFDESMBAGA1UEAwwJYXV0aG9yaXR5Fw0yNjExMjEx
    NzEyMTNaGA8yMTI2MTAyODE3MTIxM1owFTATAgILrBcNMjUxMTAxMDAwMDAwWjAK
    BggqhkjOPQQDAgNJADBGAiEAt7eIeVasClZwEsKrhqAxVlnTAD7nKhx27ifXOzoD
    HEwCIQD0d+Y4wqyEQFeqGtG69/i1VixyQAtHI1LY8pv1KjIPXg==
    -----END X509 CRL-----
    """
  static let other = """
    -----BEGIN CERTIFICATE-----
    MIIBjjCCATWgAwIBAgIUNxSjXjgJ2PlXYutdexFtdNYpy3MwCgYIKoZIzj0EAwIw
    FDESMBAGA1UEAwwJYXV0aG9yaXR5MCAXDTI2MTEyMTE3MTIxM1oYDzIxMjYxMDI4
    MTcxMjEzWjAUMRIwEAYDVQQDDAlhdXRob3JpdHkwWTATBgcqhkjOPQIBBggqhkjO
    PQMBBwNCAASVqEAWf0ntXw5ceEZzZhwcAFMBufHH7mayR1xcgpCk4ppksw7B0920
    mqbBdkjGNY3vWL2lYu3Ck5sOAlLCPmSFo2MwYTAdBgNVHQ4EFgQUy4TPQiq4hRVS
    Np3ZdP/RT+5dUYYwHwYDVR0jBBgwFoAUy4TPQiq4hRVSNp3ZdP/RT+5dUYYwDwYD
    VR0TAQH/BAUwAwEB/zAOBgNVHQ8BAf8EBAMCAQYwCgYIKoZIzj0EAwIDRwAwRAIg
    Y+72LDDWef87y4zOuzuJ6hNLlV8GulmNxM9HCqdXCzwCIGCUDkXYih0mqAKUC5tg
    bdn3r6qAo5srvKtKuM7D60Pp
    -----END CERTIFICATE-----
    """
}

@Suite struct `Files about trust` {
  private func lists(_ text: String) throws -> [RevocationList] {
    try TrustFiles.revocationLists(in: Array(text.utf8))
  }

  private func der(_ pem: String) throws -> [UInt8] { try PEMDocument(pemString: pem).derBytes }

  @Test func `a list says of whom it is, how long it is, and since when`() throws {
    let list = try #require(try lists(Sample.list).first)
    #expect(list.issuer == "CN=authority")
    #expect(list.entryCount == 1)
    let now = Date().timeIntervalSince1970
    #expect(list.thisUpdate.secondsSinceEpoch < now)
    #expect(now - 86_400 * 3_650 < list.thisUpdate.secondsSinceEpoch)
    let years = try (#require(list.nextUpdate).secondsSinceEpoch - now) / 86_400 / 365.25
    #expect(years > 90 && years < 101, "\(years)")
  }

  @Test func `several blocks are read, others passed over, DER as well`() throws {
    let text = "notes\n\(Sample.list)\n\(Sample.root)\n\(Sample.list)\n"
    #expect(try lists(text).count == 2)
    #expect(try TrustFiles.revocationLists(in: der(Sample.list)).count == 1)
    #expect(try lists("").isEmpty)
    #expect(try lists(" \n\t").isEmpty)
  }

  @Test func `what is no list is refused, cut or mutated anywhere it does not trap`() throws {
    #expect(throws: TrustFileError.self) { try lists("noise") }
    #expect(throws: TrustFileError.noList(found: ["CERTIFICATE"])) { try lists(Sample.root) }
    let good = try der(Sample.list)
    for count in 0..<good.count where count > 0 {
      #expect(throws: TrustFileError.self) {
        try TrustFiles.revocationLists(in: Array(good.prefix(count)))
      }
    }
    for index in good.indices {
      for bit in [0x01, 0x20, 0x80] as [UInt8] {
        var bad = good
        bad[index] ^= bit
        do {
          let read = try TrustFiles.revocationLists(in: bad)
          #expect(read.first?.standing(among: [try der(Sample.root)]) != .signed, "byte \(index)")
        } catch is TrustFileError {
          continue
        }
      }
    }
  }

  @Test func `a signature is checked by the authority of that name and key`() throws {
    let (root, other) = try (der(Sample.root), der(Sample.other))
    let good = try #require(try lists(Sample.list).first)
    #expect(good.standing(among: []) == .issuerUnknown)
    #expect(good.standing(among: [[1, 2], root]) == .signed)
    #expect(good.standing(among: [other, root]) == .signed)
    #expect(good.standing(among: [other]) == .badSignature)
    let forged = try #require(try lists(Sample.forged).first)
    #expect(forged.standing(among: [root]) == .badSignature)
  }

  @Test func `a bundle holds roots and nothing else`() throws {
    func roots(_ text: String) throws -> [[UInt8]] { try TrustFiles.roots(in: Array(text.utf8)) }
    #expect(try roots(Sample.root + "\n" + Sample.other).count == 2)
    #expect(throws: TrustFileError.noRoot) { try roots("") }
    #expect(throws: TrustFileError.noRoot) { try roots(Sample.list) }
    let middle = try Root("middle", under: Root("root")).certificatePEM
    #expect(throws: TrustFileError.notRoot(index: 1)) { try roots(Sample.root + "\n" + middle) }
    let leaf = try Root("leaf", isAuthority: false).certificatePEM
    #expect(throws: TrustFileError.notRoot(index: 0)) { try roots(leaf) }
  }
}
