import MeshModel
import Testing

@Suite struct `A SPIFFE ID is well formed or it is none` {
  @Test(arguments: [
    "spiffe://cluster.local/ns/shop/sa/cart", "spiffe://a/ns/b/sa/c",
    "spiffe://td-1_x.example/ns/kube-system/sa/Admin_1.2",
  ])
  func `a valid one survives being read and written`(uri: String) throws {
    #expect(try SPIFFEID(parsing: uri).description == uri)
  }

  typealias Fault = SPIFFEID.ParseError

  static let refused: [(String, @Sendable (String) -> Fault)] = [
    ("", Fault.notSPIFFE), ("http://a/ns/b/sa/c", Fault.notSPIFFE),
    ("SPIFFE://a/ns/b/sa/c", Fault.notSPIFFE), ("spiffe:/a/ns/b/sa/c", Fault.notSPIFFE),
    (" spiffe://a/ns/b/sa/c", Fault.notSPIFFE),
    ("spiffe://a", Fault.unknownPath), ("spiffe://a/b", Fault.unknownPath),
    ("spiffe://a/ns/b/sa/c/", Fault.unknownPath), ("spiffe://a/ns/b/sa/c/d", Fault.unknownPath),
    ("spiffe://a/NS/b/sa/c", Fault.unknownPath), ("spiffe://a/sa/b/ns/c", Fault.unknownPath),
    ("spiffe://a/ns\0/b/sa/c", Fault.unknownPath),
    ("spiffe:///ns/b/sa/c", Fault.emptyPart), ("spiffe://a/ns//sa/c", Fault.emptyPart),
    ("spiffe://a/ns/b/sa/", Fault.emptyPart),
    ("spiffe://a/ns/b/sa/c\0", Fault.forbiddenCharacter),
    ("spiffe://a/ns/b\0/sa/c", Fault.forbiddenCharacter),
    ("spiffe://a\0.evil/ns/b/sa/c", Fault.forbiddenCharacter),
    ("spiffe://a/ns/b/sa/c\n", Fault.forbiddenCharacter),
    ("spiffe://a/ns/b/sa/c\u{7f}", Fault.forbiddenCharacter),
    ("spiffe://a/ns/b/sa/c d", Fault.forbiddenCharacter),
    ("spiffe://a/ns/b/sa/c?x=1", Fault.forbiddenCharacter),
    ("spiffe://a/ns/b/sa/c#x", Fault.forbiddenCharacter),
    ("spiffe://a/ns/b/sa/%63", Fault.forbiddenCharacter),
    ("spiffe://a:80/ns/b/sa/c", Fault.forbiddenCharacter),
    ("spiffe://user@a/ns/b/sa/c", Fault.forbiddenCharacter),
    ("spiffe://A/ns/b/sa/c", Fault.forbiddenCharacter),
    ("spiffe://a/ns/./sa/c", Fault.forbiddenCharacter),
    ("spiffe://a/ns/b/sa/..", Fault.forbiddenCharacter),
    ("spiffe://a/ns/b/sa/e\u{301}", Fault.forbiddenCharacter),
    ("spiffe://a/ns/\u{301}b/sa/c", Fault.forbiddenCharacter),
  ]

  @Test(arguments: refused.indices)
  func `anything else says what is wrong`(index: Int) {
    let (uri, fault) = Self.refused[index]
    #expect(throws: fault(uri)) { try SPIFFEID(parsing: uri) }
  }

  @Test func `a URI has 2048 bytes at most and a trust domain 255`() {
    let account = String(repeating: "c", count: 2_048 - "spiffe://a/ns/b/sa/".count)
    #expect(throws: Never.self) { try SPIFFEID(parsing: "spiffe://a/ns/b/sa/\(account)") }
    #expect(throws: SPIFFEID.ParseError.tooLong(bytes: 2_049)) {
      try SPIFFEID(parsing: "spiffe://a/ns/b/sa/\(account)c")
    }
    let domain = String(repeating: "d", count: 256)
    #expect(throws: SPIFFEID.ParseError.tooLong(bytes: 275)) {
      try SPIFFEID(parsing: "spiffe://\(domain)/ns/b/sa/c")
    }
  }
}
