import DNS
import MeshModel
import Testing

@Suite struct `Answers: what a client gets` {
  /// A headless service of 256 pods, as Istio's own test has it.
  static let crowd: MeshIndex = {
    var model = Model()
    let service = Town.service("crowd", in: "shop", [])
    model.services[service.key] = service
    for number in 0..<256 {
      let pod = Town.pod("crowd-\(number)", in: "shop", ["10.1.0.\(number)"], of: ["crowd"])
      model.workloads[pod.uid] = pod
    }
    return MeshIndex(model)
  }()

  private func ask(payloadBytes: UInt16?, limit: Int?) throws -> ([UInt8], AnswerReading) {
    let query = try parsed(
      QueryBytes(host: "crowd.shop.svc.cluster.local", payloadBytes: payloadBytes).bytes)
    guard
      case .answer(let answer) = Resolver().decide(
        query, from: Town.client, in: Self.crowd, random: 5)
    else { throw AnswerReading.Malformed() }
    var bytes: [UInt8] = []
    query.write(answer, limit: limit ?? query.payloadBytes, into: &bytes)
    return (bytes, try AnswerReading(bytes))
  }

  @Test func `what does not fit the client's payload is left out, and said so`() throws {
    let (bytes, answer) = try ask(payloadBytes: 1_232, limit: nil)
    #expect(answer.isTruncated)
    #expect(answer.answers.count == 73)
    #expect(bytes.count <= 1_232)
    #expect(answer.additionals.map(\.text) == ["payload 1232"])
  }

  @Test func `without EDNS an answer has at most 512 bytes and no EDNS`() throws {
    let (bytes, answer) = try ask(payloadBytes: nil, limit: nil)
    #expect(answer.isTruncated)
    #expect(bytes.count <= 512)
    #expect(answer.additionals.isEmpty)
  }

  @Test func `over TCP everything fits`() throws {
    let (_, answer) = try ask(payloadBytes: 1_232, limit: Limit.messageBytes)
    #expect(!answer.isTruncated)
    #expect(Set(answer.texts).count == 256)
  }

  @Test func `an answer repeats identifier, question and the wish for recursion`() throws {
    let query = try parsed(QueryBytes(id: 0xbeef, host: "Web").bytes)
    let answer = try AnswerReading(Town.ask(query))
    #expect(answer.id == 0xbeef)
    #expect(answer.question == "Web")
    #expect(answer.flags == 0x8580)
  }

  @Test func `a failure has a code and nothing else`() throws {
    let query = try parsed(QueryBytes(host: "web", payloadBytes: 4_096).bytes)
    var bytes: [UInt8] = []
    query.write(.serverFailure, into: &bytes)
    let answer = try AnswerReading(bytes)
    #expect(answer.code == 2)
    #expect(!answer.isAuthoritative)
    #expect(answer.answers.isEmpty)
    #expect(answer.additionals.count == 1)
  }

  @Test func `memory given for an answer is used again`() throws {
    let query = try parsed(QueryBytes(host: "web").bytes)
    var bytes = [UInt8](repeating: 0xff, count: 1_000)
    guard
      case .answer(let answer) = Resolver().decide(
        query, from: Town.client, in: Town.mesh, random: 0)
    else { throw AnswerReading.Malformed() }
    query.write(answer, limit: 512, into: &bytes)
    #expect(bytes.capacity >= 1_000)
    #expect(try AnswerReading(bytes).texts == ["10.96.0.1"])
  }
}

@Suite struct `Upstream answers: which bytes answer a forwarded query` {
  private let asked = QueryBytes(id: 1, host: "www.Example.org")

  private func answer(_ id: UInt16, _ host: String, flags: UInt16 = 0x8180) -> [UInt8] {
    QueryBytes(id: id, flags: flags, host: host).bytes
  }

  @Test func `identifier and question must agree`() throws {
    let query = try #require(upstream(asked.bytes, 0x4242))
    #expect(query.clientID == 1)
    #expect(query.accepts(answer(0x4242, "www.Example.org")))
    #expect(query.accepts(answer(0x4242, "WWW.example.ORG")))
    #expect(!query.accepts(answer(0x4243, "www.Example.org")))
    #expect(!query.accepts(answer(0x4242, "www.Example.com")))
    #expect(!query.accepts(answer(0x4242, "www.Example.org", flags: 0x0100)))
    #expect(!query.accepts(Array(answer(0x4242, "www.Example.org").prefix(20))))
  }

  @Test func `a refusal may come without the question`() throws {
    let query = try #require(upstream(asked.bytes, 9))
    let refusal = pair(9) + pair(0x8185) + pair(0) + pair(0) + pair(0) + pair(0)
    let silence = pair(9) + pair(0x8180) + pair(0) + pair(0) + pair(0) + pair(0)
    #expect(query.accepts(refusal))
    #expect(!query.accepts(silence))
  }

  @Test func `what is no query is not sent on`() {
    #expect(upstream(answer(1, "a"), 2) == nil)
    #expect(upstream(Array(asked.bytes.prefix(11)), 2) == nil)
  }

  @Test func `a query nobody can read is sent on all the same`() throws {
    let update = QueryBytes(flags: 5 << 11, host: "zone.example").bytes
    let query = try #require(upstream(update, 3))
    #expect(query.accepts(answer(3, "zone.example", flags: 0xa800)))
    let broken = Array(asked.bytes.prefix(14))
    #expect(upstream(broken, 3) != nil)
  }
}

private func upstream(_ message: [UInt8], _ id: UInt16) -> UpstreamQuery? {
  UpstreamQuery(message.span, id: id)
}

extension UpstreamQuery {
  fileprivate func accepts(_ message: [UInt8]) -> Bool { isAnswered(by: message.span) }
}
