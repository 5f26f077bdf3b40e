import ControlAPI
import Linux
import MeshModel
import Synchronization

/// The tokens of a file, one line for each: `NODE TOKEN`; `#` begins a comment.
struct TokenTable: Hashable, Sendable {
  enum Limit {
    static let tokens = 20_000
    /// Shorter ones can be guessed.
    static let shortestToken = 16
    static let fileBytes = 8 << 20
  }

  private var rows: [Row] = []

  private struct Row: Hashable {
    var node: String
    var token: [UInt8]
  }

  init(parsing text: String) throws(TokenFileError) {
    var seen: Set<Substring> = []
    let lines = text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline)
    for (index, line) in lines.enumerated() {
      let words = line.prefix { $0 != "#" }.split { $0 == " " || $0 == "\t" || $0 == "\r" }
      if words.isEmpty { continue }
      guard words.count == 2, isNodeName(words[0]) else { throw .notARow(line: index + 1) }
      guard words[1].utf8.count >= Limit.shortestToken else { throw .tooShort(line: index + 1) }
      guard seen.insert(words[1]).inserted else { throw .duplicate(line: index + 1) }
      guard rows.count < Limit.tokens else { throw .tooMany }
      rows.append(Row(node: String(words[0]), token: Array(words[1].utf8)))
    }
  }

  var count: Int { rows.count }

  /// The node a token is for; takes as long for a token that is nearly right.
  func node(of token: String) -> String? {
    let bytes = Array(token.utf8)
    var found: String?
    for row in rows where isEqual(row.token, bytes) { found = row.node }
    return found
  }

  private func isEqual(_ a: [UInt8], _ b: [UInt8]) -> Bool {
    guard a.count == b.count else { return false }
    var difference: UInt8 = 0
    for index in a.indices { difference |= a[index] ^ b[index] }
    return difference == 0
  }
}

enum TokenFileError: Error, Hashable, Sendable {
  case unreadable(reason: String)
  case notARow(line: Int)
  case tooShort(line: Int)
  case duplicate(line: Int)
  case tooMany
}

extension TokenFileError: CustomStringConvertible {
  var description: String {
    switch self {
    case .unreadable(let reason): "cannot be read: \(reason)"
    case .notARow(let line): "line \(line): expected NODE TOKEN"
    case .tooShort(let line):
      "line \(line): expected a token of \(TokenTable.Limit.shortestToken) characters at least"
    case .duplicate(let line): "line \(line): this token is for another node already"
    case .tooMany: "expected at most \(TokenTable.Limit.tokens) tokens"
    }
  }
}

/// The tokens of a file that may change; what is wrong in it leaves the last good ones in force.
final class StaticTokens: Authenticator {
  private struct State {
    var table: TokenTable
    var problem: String?
  }

  private let path: String
  private let state: Mutex<State>

  init(path: String) throws(TokenFileError) {
    self.path = path
    state = Mutex(State(table: try Self.read(path)))
  }

  func caller(of peer: Peer, at now: WallTime) -> Caller? {
    guard let token = peer.bearerToken else { return nil }
    let node = state.withLock(\.table).node(of: token)
    return node.map { Caller(role: .node($0), proof: .staticToken) }
  }

  /// True when other tokens are in force now.
  func reload() -> Bool {
    do throws(TokenFileError) {
      let found = try Self.read(path)
      return state.withLock { state in
        defer { state = State(table: found) }
        return found != state.table
      }
    } catch {
      state.withLock { $0.problem = "\(path): \(error)" }
      return false
    }
  }

  var count: Int { state.withLock(\.table.count) }

  /// Why the file was not taken up; nil while it is good.
  var problem: String? { state.withLock(\.problem) }

  private static func read(_ path: String) throws(TokenFileError) -> TokenTable {
    let bytes: [UInt8]
    do throws(LinuxError) {
      bytes = try File.read(path, atMost: TokenTable.Limit.fileBytes)
    } catch {
      throw .unreadable(reason: "\(error)")
    }
    return try TokenTable(parsing: String(decoding: bytes, as: UTF8.self))
  }
}
