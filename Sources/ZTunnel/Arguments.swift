/// What the command line said.
struct Arguments: Equatable {
  var agentPath: String
  /// Nil: one per processor, at least two.
  var threads: Int?

  static let usage = "usage: ztunnel --agent SOCKET [--threads N]"

  /// Nil when the words are not a command line of ours; the program's name is not among them.
  init?(_ words: some Sequence<String>) {
    var agentPath: String?
    var threads: Int?
    var iterator = words.makeIterator()
    while let word = iterator.next() {
      guard let value = iterator.next() else { return nil }
      switch word {
      case "--agent": agentPath = value
      case "--threads":
        guard let count = Int(value), (1...ZTunnelLimit.threads).contains(count) else {
          return nil
        }
        threads = count
      default: return nil
      }
    }
    guard let agentPath, !agentPath.isEmpty else { return nil }
    self.agentPath = agentPath
    self.threads = threads
  }
}
