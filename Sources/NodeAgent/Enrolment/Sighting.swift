/// A process of some pod, as its control groups and its network namespace were at one moment.
struct SightedProcess: Hashable, Sendable {
  var processID: Int32
  /// The pods its control groups name: one, unless its hierarchies disagree.
  var podUIDs: Set<String>
  /// The inode of its network namespace.
  var namespace: UInt64

  /// The pods, for people.
  var title: String { podUIDs.sorted().joined(separator: " and ") }
}

/// The processes of all pods of the node, and what they prove of one.
///
/// A pod's network namespace is where its processes are, and its processes are those in its control
/// group: the kernel keeps both, so nothing that a pod says of itself counts, nor where a process of
/// another pod has gone.
struct Sighting: Hashable, Sendable {
  var processes: [SightedProcess]
  var nodeNamespace: UInt64
  /// The pod that node agent and ztunnel are, where they are one: they go into every namespace.
  var ownPod: Set<String> = []

  /// The namespaces that may be the pod's, the node's aside; empty while it has no process.
  ///
  /// Several when a process of it made one of its own, as browsers do, or went to another pod's: the
  /// pod's is then the one that has its addresses.
  func candidates(for uid: String) -> [UInt64] {
    Set(members(of: uid).map(\.namespace)).subtracting([nodeNamespace]).sorted()
  }

  /// Whom to hold on to, as proof that the namespace is the pod's still.
  func witness(of uid: String, in namespace: UInt64) -> Int32? {
    members(of: uid).filter { $0.namespace == namespace }.map(\.processID).min()
  }

  /// Why the pod has no namespace; nil when there are candidates.
  func absence(of uid: String) -> String? {
    let members = members(of: uid)
    guard let first = members.first else { return "no process of it runs yet" }
    guard members.allSatisfy({ $0.namespace == nodeNamespace }) else { return nil }
    return "process \(first.processID) of it is in the node's own network namespace"
  }

  /// What speaks against the pod while this is its namespace; nil when nobody else's is mixed in.
  func objection(to namespace: UInt64, of uid: String) -> SightingObjection? {
    if let stranger = stranger(to: uid, in: namespace) {
      return .stranger(processID: stranger.processID, uid: stranger.title)
    }
    for member in members(of: uid) where member.namespace != namespace {
      if member.namespace == nodeNamespace { return .strayedToNode(processID: member.processID) }
      if let owner = stranger(to: uid, in: member.namespace) {
        return .strayedToPod(processID: member.processID, uid: owner.title)
      }
    }
    return nil
  }

  private func stranger(to uid: String, in namespace: UInt64) -> SightedProcess? {
    processes.first {
      $0.namespace == namespace && $0.podUIDs != [uid]
        && (ownPod.isEmpty || $0.podUIDs != ownPod)
    }
  }

  private func members(of uid: String) -> [SightedProcess] {
    processes.filter { $0.podUIDs == [uid] }
  }
}

/// Why a pod's processes do not prove its identity; each names what to look at.
enum SightingObjection: Hashable, Sendable {
  /// A process of another pod is in its namespace.
  case stranger(processID: Int32, uid: String)
  /// A process of its own is elsewhere.
  case strayedToNode(processID: Int32)
  case strayedToPod(processID: Int32, uid: String)
  /// Several namespaces, of which not exactly one has its addresses.
  case unclear(namespaces: Int)
  /// None of its processes is where the runtime said.
  case elsewhere(processID: Int32)

  /// Whether it is the same, of whatever process: one that forks does not become another.
  func isSame(as other: Self) -> Bool {
    switch (self, other) {
    case (.stranger(_, let a), .stranger(_, let b)): a == b
    case (.strayedToPod(_, let a), .strayedToPod(_, let b)): a == b
    case (.strayedToNode, .strayedToNode), (.unclear, .unclear), (.elsewhere, .elsewhere): true
    case (.stranger, _), (.strayedToPod, _), (.strayedToNode, _), (.unclear, _), (.elsewhere, _):
      false
    }
  }
}

extension SightingObjection: CustomStringConvertible {
  var description: String {
    switch self {
    case .stranger(let processID, let uid):
      "process \(processID) of pod \(uid) is in its network namespace, so nobody may act in its "
        + "name; end that process"
    case .strayedToNode(let processID):
      "process \(processID) of it is in the node's network namespace; end that process, or run the "
        + "pod with hostNetwork"
    case .strayedToPod(let processID, let uid):
      "process \(processID) of it is in the network namespace of pod \(uid); end that process"
    case .unclear(let namespaces):
      "its processes are in \(namespaces) network namespaces, of which not exactly one has its "
        + "addresses"
    case .elsewhere(let processID):
      "process \(processID) of it is in another network namespace than its CNI call named; "
        + "restart the pod"
    }
  }
}
