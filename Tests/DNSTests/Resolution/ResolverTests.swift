import DNS
import MeshModel
import Testing

@Suite struct `Resolver: what the mesh says to a question` {
  struct Row: CustomTestStringConvertible {
    var says: String
    var host: String
    var type = RecordType.ipv4
    /// Nil: forwarded.
    var expected: Set<String>?

    var testDescription: String { "\(says): \(type.name) \(host)" }
  }

  static let table = [
    Row(says: "a full name", host: "web.shop.svc.cluster.local", expected: ["10.96.0.1"]),
    Row(
      says: "IPv6", host: "web.shop.svc.cluster.local", type: .ipv6,
      expected: ["fd96:0:0:0:0:0:0:1"]),
    Row(says: "the client's own namespace", host: "web", expected: ["10.96.0.1"]),
    Row(says: "another namespace", host: "web.bank", expected: ["10.96.0.2"]),
    Row(says: "namespace and svc", host: "web.bank.svc", expected: ["10.96.0.2"]),
    Row(says: "no record of a type is no error", host: "web.bank", type: .ipv6, expected: []),
    Row(says: "a family the service lacks", host: "four", type: .ipv6, expected: []),
    Row(
      says: "only healthy endpoints of a headless service", host: "db",
      expected: ["10.0.0.10", "10.0.0.11"]),
    Row(
      says: "endpoints whatever their health", host: "early", expected: ["10.0.0.10", "10.0.0.12"]),
    Row(says: "headless with IPv6", host: "db", type: .ipv6, expected: ["fd00:0:0:0:0:0:0:10"]),
    Row(says: "another namespace's private service", host: "hidden.bank", expected: nil),
    Row(says: "the canonical one of two", host: "api.example.com", expected: ["240.0.0.2"]),
    Row(says: "a wildcard", host: "deep.a.wild.example", expected: ["240.0.0.3"]),
    Row(says: "the wildcard's own domain is not below it", host: "wild.example", expected: nil),
    Row(
      says: "a service without addresses outside Kubernetes", host: "unresolved.example",
      expected: nil),
    Row(
      says: "a block of one address, not a larger one", host: "block.example",
      expected: ["240.2.0.7"]),
    Row(says: "addresses of another network do not count", host: "far.example", expected: []),
    Row(
      says: "a stateful set's pod", host: "db-1.db.shop.svc.cluster.local", expected: ["10.0.0.11"]),
    Row(says: "a pod in the client's namespace", host: "db-0.db", expected: ["10.0.0.10"]),
    Row(says: "a pod in a namespace", host: "db-0.db.shop", expected: ["10.0.0.10"]),
    Row(
      says: "a pod by its address below a service", host: "10-0-0-11.db.shop.svc",
      expected: ["10.0.0.11"]),
    Row(says: "a pod that is not ready", host: "db-2.db", expected: nil),
    Row(says: "a pod of another service", host: "db-1.early", expected: nil),
    Row(says: "a pod below a service with addresses", host: "db-0.web", expected: nil),
    Row(
      says: "a pod by address", host: "10-0-0-10.shop.pod.cluster.local", expected: ["10.0.0.10"]),
    Row(
      says: "a pod by IPv6 address", host: "fd00--10.shop.pod.cluster.local", type: .ipv6,
      expected: ["fd00:0:0:0:0:0:0:10"]),
    Row(
      says: "a pod in the wrong namespace", host: "10-0-0-10.bank.pod.cluster.local", expected: nil),
    Row(says: "an address nobody has", host: "10-0-0-99.shop.pod.cluster.local", expected: nil),
    Row(says: "a name of the world", host: "www.example.org", expected: nil),
    Row(says: "a service that is not there", host: "nothing.shop.svc.cluster.local", expected: nil),
    Row(
      says: "a type the mesh has not", host: "web", type: RecordType(rawValue: 15), expected: nil),
    Row(says: "everything at once", host: "web", type: RecordType(rawValue: 255), expected: nil),
    Row(
      says: "SRV of a service", host: "web.shop.svc.cluster.local", type: .service,
      expected: ["80 web.shop.svc.cluster.local"]),
    Row(
      says: "SRV of one port", host: "_80._tcp.web.shop.svc.cluster.local", type: .service,
      expected: ["80 web.shop.svc.cluster.local"]),
    Row(
      says: "SRV of headless endpoints", host: "db.shop.svc.cluster.local", type: .service,
      expected: ["9090 db-0.db.shop.svc.cluster.local", "9090 db-1.db.shop.svc.cluster.local"]),
    Row(
      says: "SRV of a port with an unknown name", host: "_http._tcp.web.shop.svc.cluster.local",
      type: .service, expected: nil),
    Row(
      says: "SRV of a protocol without ports", host: "_80._udp.web.shop.svc.cluster.local",
      type: .service, expected: nil),
    Row(says: "SRV outside Kubernetes", host: "api.example.com", type: .service, expected: nil),
  ]

  @Test(arguments: table) func `answers, or leaves it to the application's resolver`(row: Row)
    throws
  {
    let answer = try Town.ask(row.host, row.type)
    #expect(answer.map { Set($0.texts) } == row.expected)
    guard let answer else { return }
    #expect(answer.code == 0)
    #expect(answer.isAuthoritative)
    #expect(answer.answers.allSatisfy { $0.timeToLive == 30 })
    #expect(answer.answers.allSatisfy { $0.owner == row.host })
  }

  @Test func `a search domain that a library added is answered with an alias`() throws {
    let asked = "API.example.com.shop.svc.cluster.local"
    let answer = try #require(try Town.ask(asked))
    #expect(
      answer.answers == [
        .init(owner: asked, type: 5, timeToLive: 30, text: "API.example.com"),
        .init(owner: "API.example.com", type: 1, timeToLive: 30, text: "240.0.0.2"),
      ])
  }

  @Test func `every search domain may have been added`() throws {
    for domain in ["shop.svc.cluster.local", "svc.cluster.local", "cluster.local"] {
      let answer = try #require(try Town.ask("api.example.com.\(domain)"))
      #expect(answer.texts == ["api.example.com", "240.0.0.2"])
    }
  }

  @Test func `a wildcard below a search domain is answered on the asked name`() throws {
    let asked = "x.wild.example.shop.svc.cluster.local"
    let answer = try #require(try Town.ask(asked))
    #expect(answer.answers == [.init(owner: asked, type: 1, timeToLive: 30, text: "240.0.0.3")])
  }

  @Test func `a wildcard never takes what may be Kubernetes' own, nor what was only tried`() throws
  {
    let wide = ["*.local", "*.cluster.local", "*.dev"]
    func answer(_ host: String) throws -> [String]? {
      try Town.ask(host, in: Town.with(wide.map { Town.external($0, in: "zoo", ["240.9.9.9"]) }))?
        .texts
    }
    // A service of Kubernetes that the mesh was not told of.
    #expect(try answer("hidden.dev.svc.cluster.local") == ["240.9.9.9"], "by *.cluster.local")
    let outside = ["*.local", "*.dev"].map { Town.external($0, in: "zoo", ["240.9.9.9"]) }
    func other(_ host: String) throws -> [String]? {
      try Town.ask(host, in: Town.with(outside))?.texts
    }
    #expect(try other("hidden.dev.svc.cluster.local") == nil)
    #expect(try other("www.example.org") == nil)
    #expect(try other("example.org") == nil, "not by *.local, as example.org.svc.cluster.local")
    #expect(try other("printer.local") == ["240.9.9.9"])
    #expect(try other("a.b.dev.shop.svc.cluster.local") == ["240.9.9.9"])
    // What is there comes before what may be below a wildcard.
    let shop = Town.with([Town.external("*.bank", in: "zoo", ["240.9.9.9"])])
    #expect(try Town.ask("web.bank", in: shop)?.texts == ["10.96.0.2"])
  }

  @Test func `the case of the asked name comes back, and does not matter`() throws {
    let answer = try #require(try Town.ask("wEb.ShOp.SVC.cluster.LOCAL"))
    #expect(answer.question == "wEb.ShOp.SVC.cluster.LOCAL")
    #expect(answer.texts == ["10.96.0.1"])
  }

  @Test func `chance orders endpoints, and every order comes up`() throws {
    var orders: Set<[String]> = []
    for random in 0..<64 as Range<UInt64> {
      orders.insert(try #require(try Town.ask("db", random: random)).texts)
    }
    #expect(orders.count == 2)
  }

  @Test func `SRV brings the addresses of its targets along`() throws {
    let answer = try #require(try Town.ask("db", .service))
    #expect(
      Set(answer.additionals.map { "\($0.owner) \($0.text)" }) == [
        "db-0.db.shop.svc.cluster.local 10.0.0.10",
        "db-0.db.shop.svc.cluster.local fd00:0:0:0:0:0:0:10",
        "db-1.db.shop.svc.cluster.local 10.0.0.11",
      ])
  }

  @Test func `another class and an unknown EDNS version are for the resolver`() throws {
    for bytes in [
      QueryBytes(host: "web", class: 3).bytes,
      QueryBytes(host: "web", payloadBytes: 1_232, version: 1).bytes,
    ] {
      let query = try parsed(bytes)
      #expect(Resolver().decide(query, from: Town.client, in: Town.mesh, random: 0) == .forward)
    }
  }

  @Test func `another cluster domain has other names`() throws {
    let query = try parsed(QueryBytes(host: "web").bytes)
    let resolver = Resolver(clusterDomain: "corp.example")
    #expect(resolver.decide(query, from: Town.client, in: Town.mesh, random: 0) == .forward)
  }
}
