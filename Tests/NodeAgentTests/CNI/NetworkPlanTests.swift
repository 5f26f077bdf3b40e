import CNI
import Testing

@testable import NodeAgent

private let plugin = NetworkList.plugin(agentSocket: "/s", enrolledFile: "/e")
private let bridge = #"{ "cniVersion":"1.0.0", "name":"n", "plugins":[ {"type":"bridge"} ] }"#
private let single = #"{ "cniVersion":"0.4.0", "name":"n", "type":"bridge" }"#
private let other = #"{"name":"o","plugins":[{"type":"ptp"}]}"#

private func chained(_ text: String) -> String {
  do throws(NetworkListProblem) {
    var list = try NetworkList(reading: Array(text.utf8))
    list.add(plugin)
    return String(decoding: list.bytes, as: UTF8.self)
  } catch {
    preconditionFailure("\(error)")
  }
}

extension NetworkDirectory {
  fileprivate init(_ files: [String: String]) {
    self.init(entries: files.mapValues { .file(Array($0.utf8)) })
  }

  fileprivate var files: [String: String] {
    entries.mapValues { entry in
      switch entry {
      case .file(let bytes): String(decoding: bytes, as: UTF8.self)
      case .unusable(let reason): "unusable: \(reason)"
      }
    }
  }

  /// The folder after the steps; a runtime finds a network after each, unless there was none.
  fileprivate func after(_ plan: NetworkPlan) -> NetworkDirectory {
    var next = self
    for step in plan.steps {
      switch step {
      case .write(let name, let bytes, let like):
        #expect(next.entries[like] != nil)
        next.entries[name] = .file(bytes)
      case .rename(let from, let to): next.entries[to] = next.entries.removeValue(forKey: from)
      case .remove(let name): next.entries[name] = nil
      }
      #expect(networks.isEmpty || !next.networks.isEmpty, "no network after \(step)")
    }
    return next
  }
}

@Suite struct `A folder of networks` {
  struct Row: CustomTestStringConvertible, Sendable {
    let says: String
    let before: [String: String]
    let chained: [String: String]
    /// Nil: as before.
    var unchained: [String: String]?
    var testDescription: String { says }
  }

  @Test(arguments: [
    Row(says: "without a network is left alone", before: [:], chained: [:]),
    Row(
      says: "gets our plugin into the list in use",
      before: ["10-a.conflist": bridge, "20-b.conflist": other],
      chained: [
        "10-a.conflist": chained(bridge), "10-a.conflist.skein-saved": bridge,
        "20-b.conflist": other,
      ]),
    Row(
      says: "gets a list in place of a single network", before: ["10-a.conf": single],
      chained: ["10-a.conflist": chained(single), "10-a.conf.skein-saved": single]),
    Row(
      says: "gets a list in place of a single network in JSON", before: ["10-a.json": single],
      chained: ["10-a.conflist": chained(single), "10-a.json.skein-saved": single]),
    Row(
      says: "is mended when the list was written again",
      before: ["10-a.conflist": other, "10-a.conflist.skein-saved": bridge],
      chained: ["10-a.conflist": chained(other), "10-a.conflist.skein-saved": other],
      unchained: ["10-a.conflist": other]),
    Row(
      says: "is mended when our entry was changed",
      before: [
        "10-a.conflist": chained(bridge).replacing("/s", with: "/else"),
        "10-a.conflist.skein-saved": bridge,
      ],
      chained: ["10-a.conflist": chained(bridge), "10-a.conflist.skein-saved": bridge],
      unchained: ["10-a.conflist": bridge]),
    Row(
      says: "is mended when the single network was written again",
      before: [
        "10-a.conf": single.replacing("0.4.0", with: "0.3.1"), "10-a.conflist": chained(single),
        "10-a.conf.skein-saved": single,
      ],
      chained: [
        "10-a.conflist": chained(single.replacing("0.4.0", with: "0.3.1")),
        "10-a.conf.skein-saved": single.replacing("0.4.0", with: "0.3.1"),
      ],
      unchained: ["10-a.conf": single.replacing("0.4.0", with: "0.3.1")]),
    Row(
      says: "is finished when the list was made and no more",
      before: ["10-a.conf": single, "10-a.conflist": chained(single)],
      chained: ["10-a.conflist": chained(single), "10-a.conf.skein-saved": single],
      unchained: ["10-a.conf": single]),
    Row(
      says: "has our plugin in an earlier list alone once there is one",
      before: [
        "05-z.conflist": other, "10-a.conflist": chained(bridge),
        "10-a.conflist.skein-saved": bridge,
      ],
      chained: [
        "05-z.conflist": chained(other), "05-z.conflist.skein-saved": other,
        "10-a.conflist": bridge,
      ],
      unchained: ["05-z.conflist": other, "10-a.conflist": bridge]),
    Row(
      says: "gets back the single network that another went before",
      before: [
        "05-z.conflist": other, "10-a.conflist": chained(single), "10-a.conf.skein-saved": single,
      ],
      chained: [
        "05-z.conflist": chained(other), "05-z.conflist.skein-saved": other, "10-a.conf": single,
      ],
      unchained: ["05-z.conflist": other, "10-a.conf": single]),
  ])
  func `is chained once, and as before when we leave:`(row: Row) {
    let before = NetworkDirectory(row.before)
    let after = before.after(chainPlan(before, plugin))
    #expect(after.files == row.chained)
    #expect(chainPlan(after, plugin).steps == [], "a second look changes nothing")
    #expect(chainPlan(after, plugin).problems == [])
    let left = after.after(unchainPlan(after))
    #expect(left.files == row.unchained ?? row.before)
    #expect(unchainPlan(left).steps == [])
  }

  @Test func `keeps what others changed in the list when we leave`() {
    let before = NetworkDirectory(["10-a.conflist": bridge])
    let after = before.after(chainPlan(before, plugin))
    let changed = after.files["10-a.conflist"]?.replacing("bridge", with: "ptp") ?? ""
    var other = after
    other.entries["10-a.conflist"] = .file(Array(changed.utf8))
    #expect(chainPlan(other, plugin).steps == [])
    #expect(
      other.after(unchainPlan(other)).files == [
        "10-a.conflist": #"{"cniVersion":"1.0.0","name":"n","plugins":[{"type":"ptp"}]}"# + "\n"
      ])
  }

  struct Bad: CustomTestStringConvertible, Sendable {
    let says: String
    let entries: [String: NetworkDirectory.Entry]
    let problem: String
    var testDescription: String { says }
  }

  private static func file(_ text: String) -> NetworkDirectory.Entry { .file(Array(text.utf8)) }

  @Test(arguments: [
    Bad(says: "no JSON", entries: ["a.conflist": file("{")], problem: "a.conflist: not JSON"),
    Bad(
      says: "a link", entries: ["a.conf": .unusable(reason: "a symbolic link")],
      problem: "a.conf: a symbolic link; left alone"),
    Bad(
      says: "two of one name", entries: ["a.conf": file(single), "a.conflist": file(other)],
      problem: "both a.conf and a.conflist are there"),
    Bad(
      says: "two of one name, of which one was chained",
      entries: [
        "a.conf": file(single), "a.conflist": file(chained(other)),
        "a.conflist.skein-saved": file(other),
      ], problem: "both a.conf and a.conflist are there"),
    Bad(
      says: "nothing but us", entries: ["a.conflist": file(#"{"plugins":[{"type":"skein-cni"}]}"#)],
      problem: "a.conflist makes no network"),
  ])
  func `with a file that is bad is left alone, and says why:`(row: Bad) {
    let plan = chainPlan(NetworkDirectory(entries: row.entries), plugin)
    #expect(plan.steps == [])
    #expect(plan.problems.count == 1 && plan.problems[0].hasPrefix(row.problem), "\(plan)")
  }

  @Test func `has what we keep beside it passed over by runtimes`() {
    let kept = ["a.conf", "a.conflist", "a.json"].map(NetworkDirectory.savedName)
    #expect(NetworkList.chosen(among: kept) == nil)
    #expect(kept.allSatisfy(NetworkDirectory.concerns) && !NetworkDirectory.concerns("readme"))
  }
}
