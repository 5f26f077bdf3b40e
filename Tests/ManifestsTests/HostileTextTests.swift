import Manifests
import MeshCompiler
import Testing

@Suite struct `Hostile text gets an error, never a trap` {
  struct Row: CustomTestStringConvertible {
    var says: String
    var file = "a.yaml"
    var text: @Sendable () -> String
    var code: Diagnostic.Code
    var nodes = ManifestLimits().nodesPerFile
    var testDescription: String { says }
  }

  /// Nine lines of nine aliases each: 387 420 489 values.
  static let laughs: @Sendable () -> String = {
    var text = "l0: &l0 [x, x, x, x, x, x, x, x, x]\n"
    for level in 1..<9 {
      let aliases = [String](repeating: "*l\(level - 1)", count: 9).joined(separator: ", ")
      text += "l\(level): &l\(level) [\(aliases)]\n"
    }
    return text
  }

  static let table: [Row] = [
    Row(says: "a billion laughs", text: laughs, code: .tooManyNodes),
    Row(
      says: "a billion laughs as merges",
      text: {
        var text = "l0: &l0 {a: [x, x, x, x, x, x, x, x, x]}\n"
        for level in 1..<12 {
          let entries = (0..<9).map { "k\($0): *l\(level - 1)" }.joined(separator: ", ")
          text += "l\(level): &l\(level) {\(entries), <<: *l\(level - 1)}\n"
        }
        return text
      }, code: .tooManyNodes),
    Row(
      says: "a billion laughs as a key", text: { laughs() + "? *l8\n: x\n" }, code: .tooManyNodes),
    Row(
      says: "a billion laughs as keys of one line",
      text: {
        var text = "l0: &l0 [x, x]\n"
        for level in 1..<40 {
          text += "l\(level): &l\(level) {? [*l\(level - 1), *l\(level - 1)] : x}\n"
        }
        return text
      }, code: .syntax),
    Row(
      says: "aliases as deep as can be",
      text: {
        var text = "l0: &l0 [x]\n"
        for level in 1..<100 { text += "l\(level): &l\(level) [*l\(level - 1)]\n" }
        return text
      }, code: .tooDeep),
    Row(
      says: "lists in one line", text: { String(repeating: "[", count: 100_000) }, code: .tooDeep),
    Row(
      says: "mappings in one line", text: { String(repeating: "{a: ", count: 100_000) },
      code: .tooDeep),
    Row(
      says: "lists by hyphens", text: { String(repeating: "- ", count: 100_000) + "a" },
      code: .tooDeep),
    Row(
      says: "keys within keys", text: { String(repeating: "? ", count: 100_000) + "a" },
      code: .tooDeep),
    Row(
      says: "nesting by indentation",
      text: {
        (0..<900).map { String(repeating: " ", count: $0) + "a:\n" }.joined()
      }, code: .tooDeep),
    Row(
      says: "sixty-five lists",
      text: {
        String(repeating: "[", count: 66) + String(repeating: "]", count: 66)
      }, code: .tooDeep),
    Row(
      says: "JSON lists", file: "a.json", text: { String(repeating: "[", count: 1_000_000) },
      code: .tooDeep),
    Row(
      says: "JSON objects", file: "a.json", text: { String(repeating: "{\"a\":", count: 500_000) },
      code: .tooDeep),
    Row(
      says: "a huge scalar", text: { "a: " + String(repeating: "x", count: 5 << 20) },
      code: .tooLarge),
    Row(
      says: "too many values", text: { "[" + String(repeating: "1,", count: 20_000) + "]" },
      code: .tooManyNodes, nodes: 10_000),
    Row(
      says: "too many JSON values", file: "a.json",
      text: { "[" + String(repeating: "1,", count: 20_000) + "1]" }, code: .tooManyNodes,
      nodes: 10_000),
    Row(
      says: "too many documents", text: { String(repeating: "--- a\n", count: 10_001) },
      code: .tooLarge),
  ]

  @Test(arguments: table) func `namely`(row: Row) {
    var limits = ManifestLimits()
    limits.nodesPerFile = row.nodes
    let text = ManifestText(Array(row.text().utf8), file: row.file, limits: limits)
    #expect(text.diagnostics.map(\.code) == [row.code])
    #expect(text.diagnostics.allSatisfy { $0.severity == .error && $0.message.utf8.count < 400 })
  }

  @Test func `the longest scalar that fits is read`() {
    let text = ManifestText(
      Array(("a: \"" + String(repeating: "*", count: (4 << 20) - 5) + "\"").utf8), file: "a.yaml")
    #expect(text.diagnostics == [])
  }

  @Test func `sixty-four lists are read`() {
    let nested = String(repeating: "[", count: 64) + String(repeating: "]", count: 64)
    for file in ["a.yaml", "a.json"] {
      #expect(ManifestText(Array(nested.utf8), file: file).diagnostics == [])
    }
  }

  /// Bytes after one another from a seed.
  private struct Seeded: RandomNumberGenerator {
    var state: UInt64
    mutating func next() -> UInt64 {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return state ^ state >> 33
    }
  }

  private static let seeds = [
    "apiVersion: v1\nkind: Pod\nmetadata: {name: web, labels: {app: &a web}}\nspec: {nodeName: *a}\n",
    "- ? [a, *b]\n: |+2\n   text\n  ... \n--- !!str &x 'y'\n<<: [*x, {a: >-\n  b}]\n# end",
    "{\"apiVersion\": \"v1\", \"items\": [1.5e3, null, true, \"\\ud83d\\ude00\\n\"]}",
    """
    apiVersion: security.istio.io/v1
    kind: AuthorizationPolicy
    metadata: {name: p, annotations: {istio.io/dry-run: "true"}}
    spec:
      action: DENY
      rules:
      - from: [{source: {ipBlocks: [10.0.0.0/8], principals: ['*']}}]
        to: [{operation: {ports: ["80"], methods: [GET]}}]
        when: [{key: source.ip, values: ["::/0"]}]
    """,
  ]

  @Test(arguments: 0..<8) func `mutated manifests are answered`(seed: UInt64) {
    var random = Seeded(state: seed)
    let alphabet = Array("{}[]:,-?*&!|>'\"%@`#\n \t\\ux0~<=.a1".utf8) + [0, 0xff, 0xc3, 0xa9]
    for _ in 0..<150 {
      var bytes = Array(Self.seeds[Int(random.next() % UInt64(Self.seeds.count))].utf8)
      for _ in 0...Int(random.next() % 6) where !bytes.isEmpty {
        let place = Int(random.next() % UInt64(bytes.count))
        let byte = alphabet[Int(random.next() % UInt64(alphabet.count))]
        switch random.next() % 4 {
        case 0: bytes[place] = byte
        case 1: bytes.insert(byte, at: place)
        case 2: bytes.remove(at: place)
        default: bytes += bytes[place...].prefix(Int(random.next() % 40))
        }
      }
      for file in ["a.yaml", "a.json"] {
        let text = ManifestText(bytes, file: file)
        _ = compile(objects: text.objects)
      }
    }
  }
}
