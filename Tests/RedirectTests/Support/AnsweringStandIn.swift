import Linux
import Redirect
import Synchronization
import Testing

/// A process that does for one pod's DNS what ztunnel does: see `Programs/answer.py`.
final class AnsweringStandIn: Sendable {
  let program: Program

  /// Puts its sockets in place, and keeps none.
  init(_ arguments: [String] = [], town: Town) throws {
    let started = Mutex<Program?>(nil)
    let control = try UnixSocket.pair().separate { ours, theirs in
      let program = try Program(
        "answer.py", arguments, in: town.pod.namespace, group: town.groups.agent,
        control: theirs.number)
      started.withLock { $0 = program }
      return ours
    }
    let begun = started.withLock { $0 }
    program = try #require(begun)
    let sockets = try StandIn.takeListeners(from: control)
    let numbers = try #require(PodDNSSockets(sockets.map(\.number)))
    try town.redirection.updateDNS(of: Town.uid, to: numbers)
    _ = try program.line { $0.ready == true }
  }

  /// Where the next query was sent.
  func query() throws -> Report { try program.line { $0.kind == "dns" } }
}

extension Town {
  /// Lets an application ask resolvers, all from one socket.
  func ask(
    _ resolvers: [String], _ options: [String] = [], from house: borrowing House
  ) throws -> Report {
    let program = try Program(
      "ask.py", resolvers + options, in: house.namespace, group: groups.pod)
    return try program.line()
  }

  /// Starts resolvers in the peer's and the bare house.
  func startResolvers() throws {
    try start("resolve.py", ["peer"], in: peer.namespace, groups.other)
    try start("resolve.py", ["bare"], in: bare.namespace, groups.other)
  }
}
