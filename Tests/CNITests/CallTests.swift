import CNI
import Testing

private let result = #"{"cniVersion":"1.0.0","ips":[{"address":"10.0.0.7/24"}],"big":1.50e+400}"#

private func input(_ extra: String = "", version: String = "1.0.0") -> [UInt8] {
  Array(#"{"cniVersion":"\#(version)","name":"n","type":"skein-cni"\#(extra)}"#.utf8)
}

private func environment(_ command: String, _ extra: String...) -> [String] {
  ["CNI_COMMAND=\(command)", "CNI_CONTAINERID=c1", "CNI_IFNAME=eth0"] + extra
}

private let arguments =
  "CNI_ARGS=IgnoreUnknown=1;K8S_POD_NAMESPACE=shop;K8S_POD_NAME=web;K8S_POD_UID=u1"

@Suite struct `A CNI call` {
  @Test(arguments: Call.versions)
  func `says which pod gets which namespace and addresses`(version: String) throws {
    let call = try Call(
      environment: environment("ADD", "CNI_NETNS=/var/run/netns/a", arguments),
      input: input(",\"prevResult\":\(result)", version: version))
    #expect(call.command == .add && call.containerID == "c1" && call.interface == "eth0")
    #expect(call.namespacePath == "/var/run/netns/a")
    #expect(call.pod == Pod(namespace: "shop", name: "web", uid: "u1"))
    #expect(call.configuration.addresses == ["10.0.0.7"])
    #expect(call.configuration.previousResult?.description == result)
  }

  @Test func `of DEL needs neither a namespace nor a result`() throws {
    let call = try Call(environment: environment("DEL", arguments), input: input())
    #expect(call.namespacePath == nil && call.configuration.previousResult == nil)
  }

  struct Row: Sendable, CustomTestStringConvertible {
    let environment: [String]
    let input: [UInt8]
    let code: Int
    var testDescription: String { "\(environment) \(String(decoding: input, as: UTF8.self))" }
  }

  @Test(arguments: [
    Row(environment: [], input: input(), code: 4),
    Row(environment: ["CNI_COMMAND=PLAY"], input: input(), code: 4),
    Row(environment: ["CNI_COMMAND=ADD", "CNI_IFNAME=e"], input: input(), code: 4),
    Row(environment: ["CNI_COMMAND=ADD", "CNI_CONTAINERID=c"], input: input(), code: 4),
    Row(environment: environment("ADD"), input: input(), code: 4),
    Row(environment: environment("ADD", "CNI_NETNS=/n"), input: input(), code: 7),
    Row(environment: ["CNI_COMMAND=STATUS"], input: [], code: 6),
    Row(environment: ["CNI_COMMAND=STATUS"], input: Array("[]".utf8), code: 6),
    Row(environment: ["CNI_COMMAND=STATUS"], input: input(version: "0.2.0"), code: 1),
    Row(environment: ["CNI_COMMAND=STATUS"], input: input(#","agentSocket":"a""#), code: 7),
    Row(environment: ["CNI_COMMAND=GC"], input: input(#","failOpenWithoutList":1"#), code: 7),
  ])
  func `that breaks the specification fails with its code`(row: Row) {
    let failure = #expect(throws: Failure.self) {
      try Call(environment: row.environment, input: row.input)
    }
    #expect(failure?.code == row.code)
    #expect(failure?.details.isEmpty == false)
  }
}

@Suite struct `JSON of a runtime` {
  @Test(arguments: [
    #"{"a":[1,-0,2.50,1e9,123456789012345678901234567890],"b":{"c":null,"d":true,"e":false}}"#,
    #"["\"\\\n\t\u0001é😀"]"#, #"[]"#, #"{}"#, #""""#,
  ])
  func `is passed on as it came`(text: String) throws {
    #expect(try JSONValue(reading: Array(text.utf8)).description == text)
  }

  @Test(arguments: [
    "", "{", "[1,]", #"{"a":1,"a":2}"#, "01", "1.", "-", "+1", "nul", "\"\u{1}\"", #""\ud800""#,
    "[] []", #"{"a"}"#, "1e", String(repeating: "[", count: 100), #""\x""#, #""open"#,
  ])
  func `that is none is refused`(text: String) {
    #expect(throws: JSONProblem.self) { try JSONValue(reading: Array(text.utf8)) }
  }

  @Test func `beyond the limit, or not UTF-8, is refused`() {
    let long = [UInt8](repeating: 0x20, count: Limit.inputBytes) + [0x31]
    #expect(throws: JSONProblem.self) { try JSONValue(reading: long) }
    #expect(throws: JSONProblem.self) { try JSONValue(reading: [0x22, 0xff, 0x22]) }
  }
}
