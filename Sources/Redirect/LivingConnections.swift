import CBPF
public import Linux
public import MeshModel

/// Connections that live while their pod comes into the mesh or leaves it.
extension Redirection {
  public borrowing func passage(of uid: String) throws(RedirectError) -> Passage {
    try kernel(of: uid).passage()
  }

  /// How many connections a pod has that an enrolment would cut, those within the pod not counted.
  ///
  /// Also for a pod that is not enrolled.
  public borrowing func existingConnections(
    in namespace: borrowing NetworkNamespace
  ) throws(RedirectError) -> Int {
    let groups = try agentCgroups()
    return try inside(namespace) { () throws(RedirectError) in
      let network = try PodNamespace()
      let own = Set(try network.addresses().map(\.address))
      return try network.connections(of: own, agentCgroups: groups).count { !$0.isCaptured }
    }
  }

  /// How many of the connections that the pod had when it was enrolled live on.
  ///
  /// Forgets those that ended; when none is left, the pod is like any other.
  public borrowing func keptConnections(
    of uid: String, namespace: borrowing NetworkNamespace
  ) throws(RedirectError) -> Int {
    let kernel = try kernel(of: uid)
    guard try kernel.passage().mode == .keep else { return 0 }
    let own = try kernel.localAddresses()
    let living = try inside(namespace) { () throws(RedirectError) in
      Set(try PodNamespace().connections(of: own, agentCgroups: []).map(\.cookie))
    }
    let passing = try kernel.passing()
    for cookie in passing.subtracting(living) { try kernel.kept.remove(cookie) }
    let count = passing.intersection(living).count
    if count == 0 { try kernel.captureAll() }
    return count
  }

  /// Cuts the connections that the pod had when it was enrolled; how many there were.
  ///
  /// While they may still send: so that the far ends hear of it as well.
  public borrowing func endKept(
    of uid: String, namespace: borrowing NetworkNamespace
  ) throws(RedirectError) -> Int {
    let kernel = try kernel(of: uid)
    let passing = try kernel.passing()
    let ended = try inside(namespace) { () throws(RedirectError) in
      try PodNamespace().end(passing.contains)
    }
    try kernel.captureAll()
    return ended ?? passing.count
  }

  /// Lets new connections of the pod go their own way, and those of ztunnel end as such.
  ///
  /// ztunnel goes on serving the pod. False when the pod has more connections than can be told apart:
  /// nothing changed then.
  public borrowing func drain(
    _ uid: String, namespace: borrowing NetworkNamespace, until: Instant
  ) throws(RedirectError) -> Bool {
    try self.kernel(of: uid).require(NamespaceIdentity(of: namespace))
    let groups = try agentCgroups()
    return try inside(namespace) { () throws(RedirectError) in
      let network = try PodNamespace()
      for _ in 0..<RedirectLimit.keptAttempts {
        let own = try self.kernel(of: uid).localAddresses()
        let count = try network.connections(of: own, agentCgroups: groups).count
        let kernel = try makeRoom(for: count, in: try self.kernel(of: uid))
        let before = try kernel.passage()
        let overflow = try kernel.readCounters().keptOverflow
        try kernel.set(.acceptMark, in: network)
        try kernel.put(Passage(.leave, until: until))
        let captured = try network.connections(of: own, agentCgroups: groups)
        let isRecorded = try kernel.recordCaptured(captured)
        let overflowNow = try kernel.readCounters().keptOverflow
        if isRecorded && overflowNow == overflow {
          try kernel.put(Passage(.drain, until: until))
          try kernel.removeDNSSockets()
          return true
        }
        try kernel.put(before)
      }
      let kernel = try self.kernel(of: uid)
      try kernel.restore(.acceptMark, in: network)
      return false
    }
  }

  /// How many connections of a pod that drains are still ztunnel's.
  public borrowing func drainingConnections(
    of uid: String, namespace: borrowing NetworkNamespace
  ) throws(RedirectError) -> Int {
    let own = try kernel(of: uid).localAddresses()
    let groups = try agentCgroups()
    return try inside(namespace) { () throws(RedirectError) in
      try PodNamespace().connections(of: own, agentCgroups: groups).count(where: \.isCaptured)
    }
  }

  /// Whether the pod is as `open` left it: not captured.
  public borrowing func isOpen(_ uid: String) throws(RedirectError) -> Bool {
    guard let kernel = try PodKernel.open(try directory.pod(uid)) else { return false }
    if try kernel.facts().isComplete { return false }
    return try kernel.passage().mode == .drain
  }

  /// How many connections the pod has, those of ztunnel included.
  borrowing func connectionCount(
    _ own: Set<IPAddress>, _ network: PodNamespace
  ) throws(RedirectError) -> Int {
    try network.connections(of: own, agentCgroups: agentCgroups()).count
  }

  /// The same pod's objects, with room for so many connections; the thread is in its namespace.
  borrowing func makeRoom(
    for count: Int, in kernel: consuming PodKernel
  ) throws(RedirectError) -> PodKernel {
    let keys = try kernel.kept.keys(like: 0, limit: RedirectLimit.keptConnections)
    let room = min(PodKernel.room(for: count) + keys.count, RedirectLimit.keptConnections)
    if try BPFSystem.room(ofMap: kernel.kept.descriptor.number) >= room { return kernel }
    let larger = try PodKernel.makeKept(room: room)
    for key in keys {
      if let value = try kernel.kept.value(key, else: .init()) { try larger.put(key, value) }
    }
    let number = larger.descriptor.number
    _ = try kernel.replacePrograms(shared: shared, isInNamespace: true, kept: number)
    try replacePin(number, at: kernel.pins.kept)
    let uid = kernel.pins.uid
    return try self.kernel(of: uid)
  }
}

extension PodKernel {
  func captureAll() throws(RedirectError) {
    try put(.capture)
    try forgetKept()
  }

  /// Writes down that these are ztunnel's, but for those that are known to be nobody's; whether there
  /// was room.
  func recordCaptured(_ connections: [PodConnection]) throws(RedirectError) -> Bool {
    for var connection in connections {
      connection.isCaptured = true
      try record([connection])
    }
    let known = Set(try kept.keys(like: 0, limit: RedirectLimit.keptConnections))
    return connections.allSatisfy { known.contains($0.cookie) }
  }
}
