import CNI
import Testing

@Suite struct `A new pod` {
  struct Row: Sendable {
    let reply: Reply
    let listing: Listing
    var isOpen = false
    /// Nil: the pod starts.
    let code: Int?
  }

  @Test(arguments: [
    Row(reply: .answered(.enrolled), listing: .enrolled, code: nil),
    Row(reply: .answered(.enrolled), listing: .other, code: nil),
    Row(reply: .answered(.notOurs), listing: .enrolled, code: nil),
    Row(reply: .answered(.notOurs), listing: .unreadable("x"), code: nil),
    Row(reply: .answered(.refused(reason: "r")), listing: .other, code: 100),
    Row(reply: .answered(.notYet(reason: "r")), listing: .other, code: 11),
    Row(reply: .away("x"), listing: .other, code: nil),
    Row(reply: .away("x"), listing: .enrolled, code: 11),
    Row(reply: .away("x"), listing: .enrolled, isOpen: true, code: 11),
    Row(reply: .away("x"), listing: .unreadable("y"), code: 11),
    Row(reply: .away("x"), listing: .unreadable("y"), isOpen: true, code: nil),
  ])
  func `waits for the agent only where its namespace may be enrolled`(row: Row) {
    var code: Int?
    do throws(Failure) {
      try Admission.decide(row.reply, row.listing, isOpenWithoutList: row.isOpen)
    } catch {
      code = error.code
    }
    #expect(code == row.code)
  }

  @Test func `can be served while the agent answers or the list is readable`() throws {
    let lost = Listing.unreadable("y")
    try Admission.decideStatus(.answered(.notOurs), lost, isOpenWithoutList: false)
    try Admission.decideStatus(.away("x"), .other, isOpenWithoutList: false)
    try Admission.decideStatus(.away("x"), lost, isOpenWithoutList: true)
    let failure = #expect(throws: Failure.self) {
      try Admission.decideStatus(.away("x"), lost, isOpenWithoutList: false)
    }
    #expect(failure?.code == 50)
  }
}

@Suite struct `The list of enrolled namespaces` {
  @Test func `is the same when it is read again`() throws {
    let list = EnrolledList(namespaces: ["shop", "bank"])
    let text = #"{"version":1,"namespaces":["bank","shop"]}"# + "\n"
    #expect(String(decoding: list.bytes, as: UTF8.self) == text)
    #expect(try EnrolledList(reading: list.bytes) == list)
    #expect(list.listing(of: "shop") == .enrolled && list.listing(of: "else") == .other)
  }

  @Test(arguments: [
    "", "{}", #"{"version":2,"namespaces":[]}"#, #"{"version":1}"#,
    #"{"version":1,"namespaces":[1]}"#,
  ])
  func `that is none is an error, not an empty list`(text: String) {
    #expect(throws: EnrolledListProblem.self) { try EnrolledList(reading: Array(text.utf8)) }
  }
}

@Suite struct `A message between plugin and agent` {
  static let request = CNIRequest(
    kind: .add, containerID: "c", namespacePath: "/n", interface: "e",
    pod: Pod(namespace: "s", name: "w", uid: "u"), addresses: ["::1"])

  @Test func `has the bytes it had`() {
    let golden: [UInt8] = [
      1, 1, 0, 1, 0x63, 0, 2, 0x2f, 0x6e, 0, 1, 0x65, 0, 1, 0x73, 0, 1, 0x77, 0, 1, 0x75,
      1, 0, 3, 0x3a, 0x3a, 0x31,
    ]
    #expect(Self.request.encoded() == golden)
    #expect(CNIAnswer.enrolled.encoded() == [1, 1])
    #expect(CNIAnswer.notOurs.encoded() == [1, 2])
    #expect(CNIAnswer.refused(reason: "no").encoded() == [1, 3, 0, 2, 0x6e, 0x6f])
    #expect(CNIAnswer.notYet(reason: "").encoded() == [1, 4, 0, 0])
  }

  @Test func `is read whole or refused`() throws {
    let bytes = Self.request.encoded()
    #expect(try CNIRequest(decoding: bytes) == Self.request)
    for count in bytes.indices {
      #expect(throws: MessageProblem.truncated) {
        try CNIRequest(decoding: Array(bytes[..<count]))
      }
    }
    #expect(throws: MessageProblem.trailingBytes(1)) { try CNIRequest(decoding: bytes + [0]) }
    #expect(throws: MessageProblem.format(2)) { try CNIAnswer(decoding: [2, 1]) }
    #expect(throws: MessageProblem.tag(9)) { try CNIAnswer(decoding: [1, 9]) }
    #expect(throws: MessageProblem.tooLong) { try CNIAnswer(decoding: [1, 3, 0xff, 0xff]) }
    #expect(throws: MessageProblem.notText) { try CNIAnswer(decoding: [1, 3, 0, 1, 0xff]) }
  }

  @Test func `cuts a long reason at a character`() throws {
    let reason = String(repeating: "é", count: Limit.textBytes)
    let answer = try CNIAnswer(decoding: CNIAnswer.refused(reason: reason).encoded())
    let kept = String(repeating: "é", count: Limit.textBytes / 2)
    #expect(answer == .refused(reason: kept))
  }
}

@Suite struct `A list of networks` {
  static let plugin = NetworkList.plugin(agentSocket: "/a", enrolledFile: "/e")

  private func list(_ text: String) throws -> NetworkList {
    try NetworkList(reading: Array(text.utf8))
  }

  @Test func `is the first file in byte order`() {
    let names = ["b.conf", "10-x.conflist", "05.txt", "B.json"]
    #expect(NetworkList.chosen(among: names) == "10-x.conflist")
    #expect(NetworkList.chosen(among: ["readme"]) == nil)
    #expect(NetworkList.listName("10-x.conf") == "10-x.conflist")
    #expect(NetworkList.listName("10-x.conflist") == "10-x.conflist")
    #expect(NetworkList.listName("10-x.json") == "10-x.conflist")
  }

  @Test func `gets our plugin at its end once, and loses nothing when it is removed`() throws {
    let text = #"{"name":"n","x":{"y":1.0},"plugins":[{"type":"bridge","z":[]}],"w":null}"#
    let before = try list(text)
    var after = before
    #expect(after.presence(of: Self.plugin) == .absent)
    after.add(Self.plugin)
    #expect(after.presence(of: Self.plugin) == .present)
    let once = after
    after.add(Self.plugin)
    #expect(after == once)
    after.remove()
    #expect(after == before && after.json.description == text)
  }

  @Test func `says in our entry what our plugin then reads`() throws {
    for isOpen in [false, true] {
      let entry = NetworkList.plugin(
        agentSocket: "/a", enrolledFile: "/e", isOpenWithoutList: isOpen
      ).setting("cniVersion", .string("1.0.0"))
      let read = try Configuration(reading: Array(entry.description.utf8))
      #expect(read.agentSocket == "/a" && read.enrolledFile == "/e")
      #expect(read.isOpenWithoutList == isOpen)
    }
  }

  @Test func `is made of a single network`() throws {
    let made = try list(#"{"cniVersion":"0.4.0","name":"n","type":"bridge"}"#)
    #expect(
      made.json.description
        == #"{"cniVersion":"0.4.0","name":"n","plugins":["#
        + #"{"cniVersion":"0.4.0","name":"n","type":"bridge"}]}"#)
  }

  @Test(arguments: [
    #"{"plugins":[{"type":"skein-cni"},{"type":"bridge"}]}"#,
    #"{"plugins":[{"type":"bridge"},{"type":"skein-cni","agentSocket":"/other"}]}"#,
  ])
  func `in which our plugin was changed is seen and mended`(text: String) throws {
    var changed = try list(text)
    #expect(changed.presence(of: Self.plugin) == .different)
    changed.add(Self.plugin)
    #expect(changed.presence(of: Self.plugin) == .present)
  }

  @Test(arguments: ["", "{}", #"{"plugins":[]}"#, #"{"plugins":1}"#, #"{"type":"x"}"#])
  func `that is none is refused`(text: String) {
    #expect(throws: NetworkListProblem.self) { try self.list(text) }
  }
}
