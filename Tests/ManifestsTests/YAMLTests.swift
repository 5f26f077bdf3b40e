import Manifests
import MeshCompiler
import Testing

private func read(
  _ text: String, as file: String = "a.yaml", limits: ManifestLimits = ManifestLimits()
) -> ManifestText {
  ManifestText(Array(text.utf8), file: file, limits: limits)
}

/// The value of the key `v`.
private func value(_ yaml: String) -> ManifestValue.Content? {
  read("v: \(yaml)").objects.first?.root["v"]?.content
}

@Suite struct `YAML becomes values as kubectl reads it` {
  struct Row: CustomTestStringConvertible {
    var yaml: String
    var content: ManifestValue.Content
    var testDescription: String { yaml }
  }

  @Test(arguments: [
    Row(yaml: "", content: .null), Row(yaml: "~", content: .null),
    Row(yaml: "null", content: .null), Row(yaml: "'null'", content: .string("null")),
    Row(yaml: "true", content: .boolean(true)), Row(yaml: "off", content: .boolean(false)),
    Row(yaml: "\"yes\"", content: .string("yes")), Row(yaml: "tRue", content: .string("tRue")),
    Row(yaml: "80", content: .integer(80)), Row(yaml: "-1", content: .integer(-1)),
    Row(yaml: "+1", content: .integer(1)), Row(yaml: "0x1F", content: .integer(31)),
    Row(yaml: "0b11", content: .integer(3)), Row(yaml: "0o17", content: .integer(15)),
    Row(yaml: "017", content: .integer(15)), Row(yaml: "1_000", content: .integer(1_000)),
    Row(yaml: "1.50", content: .number(1.5)), Row(yaml: "1e3", content: .number(1_000)),
    Row(yaml: ".5", content: .number(0.5)), Row(yaml: "089", content: .number(89)),
    Row(yaml: "99999999999999999999", content: .number(1e20)),
    Row(yaml: "1.2.3", content: .string("1.2.3")),
    Row(yaml: "10.0.0.1", content: .string("10.0.0.1")),
    Row(yaml: "1:30", content: .string("1:30")), Row(yaml: "fd00::1", content: .string("fd00::1")),
    Row(yaml: "2026-01-31", content: .string("2026-01-31")),
    Row(yaml: "0x", content: .string("0x")), Row(yaml: "[]", content: .sequence([])),
    Row(yaml: "0x-1", content: .string("0x-1")), Row(yaml: "1e", content: .string("1e")),
    Row(yaml: "infinity", content: .string("infinity")), Row(yaml: "nan", content: .string("nan")),
    Row(yaml: ".inf", content: .number(.infinity)),
    Row(yaml: "a *b", content: .string("a *b")), Row(yaml: "'*'", content: .string("*")),
    Row(yaml: "\"*.x\"", content: .string("*.x")), Row(yaml: "x*", content: .string("x*")),
    Row(yaml: "!!str 80", content: .string("80")), Row(yaml: "!!int '80'", content: .integer(80)),
    Row(yaml: "|\n  a*\n  b\n", content: .string("a*\nb\n")),
    Row(yaml: "\"\\u00e9\\x41\\0\"", content: .string("éA\0")),
  ])
  func `a scalar`(row: Row) {
    #expect(value(row.yaml) == row.content)
  }

  @Test func `several documents, empty ones among them, keep their numbers and lines`() {
    let text = read("# nothing\n---\na: 1\n---\n---\nb:\n- c\n- {d: 2}\n...\n")
    #expect(text.diagnostics == [])
    #expect(text.objects.map(\.document) == [1, 3])
    #expect(text.objects.map(\.root.line) == [3, 6])
    guard case .sequence(let items)? = text.objects.last?.root["b"]?.content else {
      Issue.record("no list")
      return
    }
    #expect(items.map(\.line) == [7, 8])
  }

  @Test func `aliases and merge keys stand for what they name`() {
    let text = read(
      "base: &b {x: 1, y: &z [2]}\nuse: {<<: *b, x: 3}\nlist: [*z, '*z']\nall: {<<: [*b, {w: 4}]}")
    #expect(text.diagnostics == [])
    let root = text.objects.first?.root
    #expect(root?["use"]?["x"]?.content == .integer(3))
    #expect(root?["use"]?["y"]?.content == .sequence([.init(.integer(2), line: 1)]))
    #expect(root?["all"]?["w"]?.content == .integer(4))
    guard case .sequence(let items)? = root?["list"]?.content else {
      Issue.record("no list")
      return
    }
    #expect(items.map(\.content) == [.sequence([.init(.integer(2), line: 1)]), .string("*z")])
  }

  @Test func `a byte order mark is no content`() {
    #expect(read("\u{feff}a: 1").objects.first?.root["a"]?.content == .integer(1))
  }
}

@Suite struct `Bad text is an error that says where` {
  struct Row: CustomTestStringConvertible {
    var says: String
    var text: String
    var file = "a.yaml"
    var finding: String
    var testDescription: String { says }
  }

  static let yaml: [Row] = [
    Row(
      says: "a key twice", text: "a: 1\nb:\n  c: 1\n  c: 2\n",
      finding: "3: error: document 1: expected each key once in a mapping, found \"c\" again"),
    Row(
      says: "an open bracket", text: "a: 1\n---\nb: [1, 2\nc: 3\n",
      finding: "4: error: document 2: not YAML: did not find expected ',' or ']' "
        + "(while parsing a flow sequence from line 3)"),
    Row(
      says: "a tab as indentation", text: "a:\n\tb: 1\n",
      finding: "2: error: document 1: not YAML: found character that cannot start any token "
        + "(while scanning for the next token from line 2)"),
    Row(
      says: "an alias of nothing", text: "a:\n- *.example.com\n",
      finding: "2: error: document 1: \"*.example.com\" is an alias of nothing; "
        + "write it in quotes if it is a value"),
    Row(
      says: "an alias of its own surroundings", text: "a: &x [*x]\n",
      finding: "1: error: document 1: \"*x\" is an alias of nothing; "
        + "write it in quotes if it is a value"),
    Row(
      says: "an alias of another document", text: "a: &x 1\n---\nb: *x\n",
      finding: "3: error: document 2: \"*x\" is an alias of nothing; "
        + "write it in quotes if it is a value"),
    Row(
      says: "an alias as key", text: "a: &x b\n*x : c\n",
      finding: "2: error: document 1: expected a name as key, found an alias"),
    Row(
      says: "a list as key", text: "? [a]\n: b\n",
      finding: "1: error: document 1: expected a name as key, found a mapping or list"),
    Row(
      says: "a tag nobody knows", text: "a: !!python/object x\n",
      finding: "1: error: document 1: expected no tag, found \"tag:yaml.org,2002:python/object\""),
    Row(
      says: "a tag that lies", text: "a: !!int x\n",
      finding: "1: error: document 1: expected a value of tag:yaml.org,2002:int, found \"x\""),
    Row(
      says: "a merge of nothing", text: "a:\n  <<: 1\n",
      finding: "2: error: document 1: expected a mapping behind <<"),
    Row(
      says: "a NUL", text: "a: 1\nb: \0\n",
      finding: "2: error: expected text in UTF-8, found a NUL byte"),
    Row(
      says: "a control character", text: "a: 1\nb: \u{1}\n",
      finding: "2: error: document 1: control characters are not allowed: character U+1"),
    Row(
      says: "the character that stands for a star", text: "a: '*'\nb: \u{e000}\n",
      finding: "2: error: expected no private character U+E000"),
  ]

  static let json: [Row] = [
    Row(
      says: "no comma", text: "{\"a\": 1\n\"b\": 2}", file: "a.json",
      finding: "2: error: document 1: not JSON: expected a comma or }, found \"\"\""),
    Row(
      says: "a comma too many", text: "{\"a\": 1,\n}", file: "a.json",
      finding: "2: error: document 1: not JSON: expected a key in double quotes, found \"}\""),
    Row(
      says: "a key twice", text: "{\"a\": 1,\n\"a\": 2}", file: "a.json",
      finding: "2: error: document 1: expected each key once in an object, found \"a\" again"),
    Row(
      says: "an end too soon", text: "{}\n{\"a\": [1", file: "a.json",
      finding: "2: error: document 2: not JSON: expected a comma or ], found the end of the file"),
    Row(
      says: "a word", text: "{\"a\": True}", file: "a.json",
      finding: "1: error: document 1: not JSON: expected a value, found \"T\""),
    Row(
      says: "a leading zero", text: "[01]", file: "a.json",
      finding: "1: error: document 1: not JSON: expected a number, found \"0\""),
    Row(
      says: "half a pair", text: "[\"\\ud800\"]", file: "a.json",
      finding: "1: error: document 1: not JSON: half of a surrogate pair"),
    Row(
      says: "a line end in a string", text: "[\"a\nb\"]", file: "a.json",
      finding: "1: error: document 1: not JSON: expected the end of a string on its own line, "
        + "found \"\\u{a}\""),
  ]

  @Test(arguments: yaml + json) func `namely`(row: Row) {
    #expect(
      read(row.text, as: row.file).diagnostics.map(\.description) == ["\(row.file):\(row.finding)"])
  }

  @Test func `bytes that are no text name their line`() {
    let bytes = Array("a: 1\nb: ".utf8) + [0xff, 0xfe] + Array("\nc: 1".utf8)
    #expect(
      ManifestText(bytes, file: "a.yaml").diagnostics.map(\.description) == [
        "a.yaml:2: error: expected text in UTF-8"
      ])
  }

  @Test func `JSON keeps every kind of value and escape`() {
    let text = read(
      """
      {"n": null, "t": true, "i": -12, "d": 1.5e1, "big": 99999999999999999999,
       "s": "\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\ud83d\\ude00", "l": [ ], "o": {}}
      {"second": 1}
      """, as: "a.json")
    #expect(text.diagnostics == [])
    #expect(text.objects.map(\.document) == [1, 2])
    let root = text.objects[0].root
    #expect(root["n"]?.content == .null)
    #expect(root["t"]?.content == .boolean(true))
    #expect(root["i"]?.content == .integer(-12))
    #expect(root["d"]?.content == .number(15))
    #expect(root["big"]?.content == .number(1e20))
    #expect(root["s"]?.content == .string("\"\\/\u{8}\u{c}\n\r\té😀"))
    #expect(root["s"]?.line == 2)
    #expect(root["l"]?.content == .sequence([]))
    #expect(root["o"]?.content == .mapping([]))
  }
}
