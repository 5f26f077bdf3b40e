import AgentProtocol
import MeshModel
import Testing

@testable import NodeAgent

private func issued(_ identity: SPIFFEID, roots: [[UInt8]]) -> IssuedCertificate {
  IssuedCertificate(identity: identity, chain: [[1, 2, 3], [4]], roots: roots)
}

@Suite struct `The chains a node agent issued` {
  static let old: [[UInt8]] = [[10]]
  static let both: [[UInt8]] = [[10], [11]]
  static let chains: IssuedChains = {
    var chains = IssuedChains()
    chains.add(issued(web, roots: old))
    chains.add(issued(api, roots: both))
    return chains
  }()

  @Test func `outlive it`() throws {
    #expect(try IssuedChains(decoding: Self.chains.encoded) == Self.chains)
    #expect(try IssuedChains(decoding: []) == IssuedChains())
  }

  @Test func `are refused when the file is cut short or garbage`() {
    let bytes = Self.chains.encoded
    for count in [1, 3, 4, 5, bytes.count - 1] {
      #expect(throws: DecodingError.self, "\(count) bytes") {
        try IssuedChains(decoding: Array(bytes.prefix(count)))
      }
    }
    #expect(throws: DecodingError.self) {
      try IssuedChains(decoding: [UInt8](repeating: 0xff, count: 100))
    }
  }

  @Test func `go again to a ztunnel that holds them with other roots`() {
    let again = Self.chains.outdated(among: [web, api], trusting: Self.both)
    #expect(again == [.certificate(issued(web, roots: Self.both))])
    #expect(Self.chains.outdated(among: [api], trusting: Self.both) == [])
  }

  @Test func `are forgotten with the last pod of their identity`() {
    var chains = Self.chains
    let (first, second) = (chains.keep([api]), chains.keep([api]))
    #expect(first)
    #expect(!second)
    #expect(chains.trusting(Self.old) == [.certificate(issued(api, roots: Self.old))])
  }
}
