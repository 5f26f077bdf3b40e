import KubernetesHarness
import MeshCompiler
import Testing

@testable import KubernetesClient

private func read(_ text: String, _ selection: FieldSelection = .all) -> ManifestValue? {
  do throws(JSONProblem) {
    return try JSONReader.value(Array(text.utf8), selection)
  } catch {
    return nil
  }
}

@Suite struct `JSON of the API is read` {
  @Test(arguments: [
    "null", "true", "false", "0", "-1", "9223372036854775807", "1.5", "-2e+10", "\"\"", "\"ä\"",
    "[]", "{}", "[1,[2,{}]]", "{\"a\":{\"b\":[true,null]},\"c\":\"d\"}",
  ])
  func `and written as it was`(text: String) throws {
    let value = try #require(read(text))
    #expect(read(String(decoding: value.json, as: UTF8.self)) == value)
  }

  @Test func `with every escape`() {
    let text = #""\"\\\/\b\f\n\r\t\u00e4\uD83D\uDE00""#
    #expect(read(text)?.text == "\"\\/\u{8}\u{c}\n\r\tä😀")
    #expect(read("\"a\\u0000b\"")?.json.elementsEqual("\"a\\u0000b\"".utf8) == true)
  }

  @Test(arguments: [
    "", " ", "nul", "tru", "01", "1.", ".5", "+1", "1e", "- 1", "0x1", "NaN", "[1,]", "[,1]",
    "[1 2]", "{\"a\":1,}", "{\"a\"}", "{a:1}", "{\"a\":}", "\"", "\"\n\"", "\"\\x\"", "\"\\u12\"",
    "\"\\ud800\"", "\"\\ud800\\u0041\"", "\"\\udc00\"", "[1", "{\"a\":1", "1 2", "[1]]",
    "{\"a\":1,\"a\":2}", "\"\\", "1e999", "{\"a\":1}x",
  ])
  func `and nothing else is`(text: String) {
    #expect(read(text) == nil)
  }

  @Test func `but no bytes that are no text`() {
    #expect(throws: JSONProblem.self) { try JSONReader.value([0x22, 0xff, 0x22]) }
    #expect(throws: JSONProblem.self) { try JSONReader.value([0x22, 0xc3, 0x22]) }
  }

  @Test func `without what a selection leaves out, in lists too`() {
    let selection = FieldSelection.fields([
      "metadata": .allBut(["managedFields"]), "items": .words("name"),
    ])
    let text = """
      {"metadata":{"managedFields":[{"f:a":{"x":"}]\\""}}],"name":"n"},"status":{"a":[1,{"b":2}]},
       "items":[{"name":"a","rest":[[]]},{"name":"b"}]}
      """
    #expect(
      read(text, selection)
        == read(#"{"metadata":{"name":"n"},"items":[{"name":"a"},{"name":"b"}]}"#))
  }

  @Test(arguments: ["{\"x\":[}", "{\"x\":[1}}", "{\"x\":\"", "{\"x\":", "{\"x\":,}", "{\"x\":@}"])
  func `with what is left out still held to brackets and strings`(text: String) {
    #expect(read(text, .words("a")) == nil)
  }

  @Test func `to a depth and a number of values, and no further`() {
    func nested(_ depth: Int) -> String {
      String(repeating: "[", count: depth) + String(repeating: "]", count: depth)
    }
    #expect(read(nested(Limit.keptDepth)) != nil)
    #expect(read(nested(Limit.keptDepth + 2)) == nil)
    #expect(read("{\"x\":\(nested(1_000))}", .words("a")) != nil)
    #expect(read("{\"x\":\(nested(1_000_000))}", .words("a")) == nil)
    let many = String(repeating: "1,", count: Limit.objectValues)
    #expect(read("[\(many)1]") == nil)
  }

  @Test func `with many keys as quickly as with few`() {
    let keys = (0..<50_000).map { "\"key-\($0)\":1" }.joined(separator: ",")
    #expect(read("{\(keys)}") != nil)
    #expect(read("{\(keys),\"key-49999\":1}") == nil)
  }

  @Test func `for lines, however they are cut`() throws {
    let text = "{\"a\":1}\n\n{\"b\":2}\r\n{\"c\""
    for size in 1...text.utf8.count {
      var splitter = LineSplitter(limit: 10)
      var lines: [String] = []
      let bytes = Array(text.utf8)
      for start in stride(from: 0, to: bytes.count, by: size) {
        let piece = Array(bytes[start..<min(start + size, bytes.count)])
        lines += try splitter.lines(in: piece).map { String(decoding: $0, as: UTF8.self) }
      }
      #expect(lines == ["{\"a\":1}", "{\"b\":2}\r"] && splitter.waiting == 4)
    }
  }

  @Test func `for lines up to a length`() throws {
    var splitter = LineSplitter(limit: 4)
    #expect(try splitter.lines(in: Array("1234\n".utf8)).count == 1)
    #expect(throws: KubernetesError.tooLarge(limit: 4)) {
      try splitter.lines(in: Array("12345\n".utf8))
    }
    var endless = LineSplitter(limit: 4)
    _ = try endless.lines(in: Array("123".utf8))
    #expect(throws: KubernetesError.tooLarge(limit: 4)) { try endless.lines(in: [0x34, 0x35]) }
  }
}

@Suite struct `What the API answers` {
  private let form = ObjectForm(apiVersion: "v1", kind: "Pod", selection: .all)

  @Test func `is an object with its type, and without its version`() throws {
    let page = try ListPage(Array(list(7, [object("web", 1)]).utf8), form)
    guard case .object(let found) = page.objects.first else {
      Issue.record("no object")
      return
    }
    #expect(found.name == ObjectName(namespace: "shop", name: "web"))
    #expect(found.resourceVersion == "1" && page.resourceVersion == "7" && page.next == nil)
    #expect(
      found.root
        == read(
          #"{"apiVersion":"v1","kind":"Pod","metadata":{"name":"web","namespace":"shop"}}"#))
  }

  @Test(arguments: [
    #"{"metadata":{"resourceVersion":"1"},"items":null}"#,
    #"{"items":[],"metadata":{"resourceVersion":"1","continue":""}}"#,
    #"{"metadata":{"resourceVersion":"1"}}"#,
  ])
  func `may be an empty list`(text: String) throws {
    #expect(try ListPage(Array(text.utf8), form) == ListPage(resourceVersion: "1"))
  }

  @Test(arguments: [
    "", "{}", "[]", "null", "{\"metadata\":{}}", #"{"metadata":{"resourceVersion":1},"items":[]}"#,
    #"{"metadata":{"resourceVersion":"1"},"items":[{}]}"#,
    #"{"metadata":{"resourceVersion":"1"},"items":[{"metadata":{"name":""}}]}"#,
    #"{"metadata":{"resourceVersion":"1"},"items":{}}"#,
    #"{"metadata":{"resourceVersion":"1"},"items":[1]}"#,
    #"{"metadata":{"resourceVersion":"1"},"items":[]}}"#, "<html>",
  ])
  func `is malformed otherwise`(text: String) {
    #expect(throws: KubernetesError.self) { try ListPage(Array(text.utf8), form) }
  }

  @Test(arguments: [
    "", "{}", "{\"type\":\"ADDED\"}", "{\"type\":1,\"object\":{}}",
    "{\"type\":\"ADDED\",\"object\":{}}", "{\"type\":\"BOOKMARK\",\"object\":{\"metadata\":{}}}",
    "{\"type\":\"ADDED\",\"object\":{\"metadata\":{\"name\":\"a\"}}} x",
  ])
  func `is no event otherwise`(text: String) {
    #expect(throws: KubernetesError.self) { try WatchEvent(Array(text.utf8), form) }
  }

  @Test func `is an event in whatever order it is written`() throws {
    let text = "{\"object\":\(object("web", 3)),\"x\":[],\"type\":\"DELETED\"}"
    guard case .deleted(let found) = try WatchEvent(Array(text.utf8), form) else {
      Issue.record("not a deletion")
      return
    }
    #expect(found.name.name == "web")
  }

  @Test func `is a status with its reason, or whatever text came instead`() {
    let text = statusObject(410, "Expired")
    let status = APIStatus(code: 410, body: Array(text.utf8), retryAfter: "7")
    #expect(status.isExpired && status.retryAfter == .seconds(7) && status.message == "m")
    let html = APIStatus(code: 502, body: Array("<html>\nno".utf8), retryAfter: "soon")
    #expect(html.description == "502 <html> no" && html.retryAfter == nil)
  }

  @Test func `is refused by name when an object is too large, and the others count`() throws {
    let large = String(repeating: "x", count: Limit.objectBytes)
    let bad = "{\"metadata\":{\"name\":\"bad\",\"resourceVersion\":\"3\"},\"spec\":\"\(large)\"}"
    let page = try ListPage(Array(list(7, [object("web", 1), bad, object("db", 2)]).utf8), form)
    #expect(page.objects.map(\.name.name) == ["web", "bad", "db"])
    guard case .refused(let refused) = page.objects[1] else {
      Issue.record("read")
      return
    }
    #expect(refused.reason.contains("at most \(Limit.objectBytes)"))
  }
}
