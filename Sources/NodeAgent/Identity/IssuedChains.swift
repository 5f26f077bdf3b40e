import AgentProtocol
import MeshModel

/// The last certificate of each identity of this node, as it was issued; no key.
///
/// Kept in a file too, so that a node agent that starts again can hand ztunnel roots that changed
/// while it was away: roots travel beside the chain they belong to.
///
///     u32 count, big-endian; so many bytes of an encoded `AgentMessage.certificate`; and so on
///
struct IssuedChains: Equatable {
  private var certificates: [SPIFFEID: IssuedCertificate] = [:]

  init() {}

  mutating func add(_ certificate: IssuedCertificate) {
    certificates[certificate.identity] = certificate
  }

  /// Forgets all but these; true when something was forgotten.
  mutating func keep(_ identities: Set<SPIFFEID>) -> Bool {
    let before = certificates.count
    certificates = certificates.filter { identities.contains($0.key) }
    return certificates.count < before
  }

  /// Intermediates and roots, each once.
  var authorities: [[UInt8]] {
    Array(Set(certificates.values.flatMap { $0.chain.dropFirst() + $0.roots }))
  }

  /// Every chain with the roots of now.
  func trusting(_ roots: [[UInt8]]) -> [AgentMessage] {
    ordered.map {
      .certificate(IssuedCertificate(identity: $0.identity, chain: $0.chain, roots: roots))
    }
  }

  /// The chains of `identities` that were issued with other roots than those of now.
  func outdated(among identities: [SPIFFEID], trusting roots: [[UInt8]]) -> [AgentMessage] {
    var others = self
    others.certificates = certificates.filter {
      identities.contains($0.key) && $0.value.roots != roots
    }
    return others.trusting(roots)
  }

  private var ordered: [IssuedCertificate] {
    certificates.values.sorted { $0.identity.description < $1.identity.description }
  }
}

// MARK: The file

extension IssuedChains {
  var encoded: [UInt8] {
    var bytes: [UInt8] = []
    for certificate in ordered {
      let message = AgentMessage.certificate(certificate).encoded()
      for shift in [24, 16, 8, 0] {
        bytes.append(UInt8(truncatingIfNeeded: message.count >> shift))
      }
      bytes += message
    }
    return bytes
  }

  init(decoding bytes: [UInt8]) throws(DecodingError) {
    var rest = bytes[...]
    while !rest.isEmpty {
      let count = rest.prefix(4).reduce(0) { $0 << 8 | Int($1) }
      guard rest.count >= 4 + count else { throw .truncated(offset: rest.startIndex) }
      let message = Array(rest.dropFirst(4).prefix(count))
      if case .certificate(let certificate) = try AgentMessage(decoding: message.span) {
        add(certificate)
      }
      rest = rest.dropFirst(4 + count)
    }
  }
}
