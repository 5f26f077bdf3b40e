import CBPF
import Linux
import MeshModel

extension PodNamespace {
  /// The connections of the pod's own sockets to anybody outside of it.
  ///
  /// Read twice: a list that is read while it changes may lack one of a bucket.
  func connections(
    of own: Set<IPAddress>, agentCgroups: Set<UInt64>
  ) throws(RedirectError) -> [PodConnection] {
    var all = Set(try sockets())
    all.formUnion(try sockets())
    return podConnections(of: own, among: all, agentCgroups: agentCgroups)
  }

  private func sockets() throws(RedirectError) -> [TCPConnection] {
    do throws(LinuxError) {
      return try TCPSockets().connections()
    } catch {
      throw .namespace(step: "list connections", error)
    }
  }

  /// Ends those of the connections that are still there; how many it ended.
  ///
  /// Nil where the kernel ends nobody's: the first packet that is captured does it then.
  func end(_ isWanted: (UInt64) -> Bool) throws(RedirectError) -> Int? {
    do throws(LinuxError) {
      let sockets = try TCPSockets()
      var count = 0
      for connection in try sockets.connections() where isWanted(connection.cookie) {
        switch try sockets.end(connection) {
        case .done: count += 1
        case .absent: break
        case .unsupported: return nil
        }
      }
      return count
    } catch {
      throw .namespace(step: "end connections", error)
    }
  }
}

/// Those of `all` that are the pod's own and leave it, one for each socket.
///
/// ztunnel's ends are told by its control group; where the kernel does not tell one yet, by nothing:
/// such a socket is written down for nothing, since its packets are ztunnel's all the same.
func podConnections(
  of own: Set<IPAddress>, among all: Set<TCPConnection>, agentCgroups: Set<UInt64>
) -> [PodConnection] {
  struct Tuple: Hashable {
    var local: SocketAddress
    var remote: SocketAddress
  }
  let tuples = Set(all.map { Tuple(local: $0.local, remote: $0.remote) })
  var cookies: Set<UInt64> = []
  var connections: [PodConnection] = []
  for connection in all {
    if let cgroup = connection.cgroup, agentCgroups.contains(cgroup) { continue }
    let remote = connection.remote.ip
    if remote.isLoopback || own.contains(remote) { continue }
    // ztunnel's end of a connection bears an address that is not the pod's.
    if !own.contains(connection.local.ip) { continue }
    guard cookies.insert(connection.cookie).inserted else { continue }
    let mirror = Tuple(local: connection.remote, remote: connection.local)
    connections.append(
      PodConnection(
        cookie: connection.cookie, local: connection.local, remote: connection.remote,
        isCaptured: tuples.contains(mirror)))
  }
  return connections
}

/// The connections that live while others are captured.
extension PodKernel {
  /// Room for so many, and for those that come up meanwhile.
  static func room(for count: Int) -> Int {
    min(count * 2 + RedirectLimit.keptReserve, RedirectLimit.keptConnections)
  }

  static func makeKept(room: Int) throws(RedirectError) -> BPFMap<UInt64, redirect_kept> {
    let number = unsafe cbpf_hash_make(
      "kept", UInt32(MemoryLayout<UInt64>.size), UInt32(MemoryLayout<redirect_kept>.size),
      UInt32(room))
    guard number >= 0 else {
      throw .map(name: "kept", LinuxError(call: "bpf_map_create", errno: -number))
    }
    return BPFMap("kept", OwnedDescriptor(adopting: number))
  }

  func passage() throws(RedirectError) -> Passage {
    guard let stored = try passageMap.value(0, else: redirect_passage()) else {
      throw .missing(what: "passage", object: pins.path)
    }
    return Passage(
      Passage.Mode(rawValue: stored.mode) ?? .capture, until: Instant(nanoseconds: stored.until))
  }

  func put(_ passage: Passage) throws(RedirectError) {
    try passageMap.put(
      0,
      redirect_passage(
        mode: passage.mode.rawValue, reserved: 0, until: passage.until.nanoseconds))
  }

  /// Writes down who stays what it is: ztunnel's, or of nobody but the pod.
  ///
  /// What a program wrote down itself it knows better.
  func record(_ connections: [PodConnection]) throws(RedirectError) {
    for connection in connections {
      let keeping = connection.isCaptured ? REDIRECT_LOOP.rawValue : REDIRECT_PASS.rawValue
      _ = try kept.putNew(connection.cookie, redirect_kept(connection, keeping: keeping))
    }
  }

  /// The sockets whose packets pass.
  func passing() throws(RedirectError) -> Set<UInt64> {
    var passing: Set<UInt64> = []
    for cookie in try kept.keys(like: 0, limit: RedirectLimit.keptConnections)
    where try kept.value(cookie, else: redirect_kept())?.keeping == REDIRECT_PASS.rawValue {
      passing.insert(cookie)
    }
    return passing
  }

  func forgetKept() throws(RedirectError) {
    for cookie in try kept.keys(like: 0, limit: RedirectLimit.keptConnections) {
      try kept.remove(cookie)
    }
  }
}

extension redirect_kept {
  fileprivate init(_ connection: PodConnection, keeping: UInt32) {
    self.init(
      flow: redirect_flow(
        source: redirect_address(connection.remote.ip),
        destination: redirect_address(connection.local.ip),
        source_port: connection.remote.port, destination_port: connection.local.port),
      keeping: keeping)
  }
}
