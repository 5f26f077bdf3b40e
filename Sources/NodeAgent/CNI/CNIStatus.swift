import Telemetry

/// What keeps pods from starting outside the mesh, and how it is doing.
struct CNIStatus: Codable, Equatable, Sendable {
  /// `waiting` (there is no network yet), `chained`, or `refused`: see the problems.
  var state = "waiting"
  var configDirectory = ""
  var programDirectory = ""
  /// The file of networks that our plugin is in.
  var configFile: String?
  var socket = ""
  /// As they are on disk, for while node-agent is away.
  var enrolledNamespaces: [String] = []
  /// Pods whose calls are in force.
  var pods = 0
  /// Calls that wait for their answer.
  var underWay = 0
  /// By answer, of `answerNames`.
  var answers: [String: UInt64] = [:]
  /// How often somebody else's change was mended.
  var repairs: UInt64 = 0
  var problems: [String] = []

  static let answerNames = ["enrolled", "notOurs", "notYet", "refused"]
}

extension StatusReport {
  func cniText(colours: Bool) -> String {
    guard let cni else { return Pairs([("state", Table.Cell("off"))]).rendered(colours: colours) }
    let answers = cni.answers.sorted { $0.key < $1.key }.map { "\($0.value) \($0.key)" }
    let tone: Table.Tone =
      switch cni.state {
      case "chained": .good
      case "refused": .bad
      default: .warning
      }
    var pairs: [(String, Table.Cell)] = [("state", Table.Cell(cni.state, tone))]
    pairs += cni.problems.map { ("problem", Table.Cell($0, .bad)) }
    pairs += [
      ("network", Table.Cell(cni.configFile.map { "\(cni.configDirectory)/\($0)" } ?? "none yet")),
      ("plugin", Table.Cell("\(cni.programDirectory)/skein-cni")),
      ("socket", Table.Cell(cni.socket)),
      ("enrolled", Table.Cell(cni.enrolledNamespaces.joined(separator: ", "))),
      ("pods", Table.Cell(String(cni.pods))),
      ("under way", Table.Cell(String(cni.underWay))),
      ("answers", Table.Cell(answers.joined(separator: ", "))),
      ("repairs", Table.Cell(String(cni.repairs))),
    ]
    return Pairs(pairs).rendered(colours: colours)
  }
}
