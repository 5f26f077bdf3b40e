import Linux

/// Whoever looks after the ztunnel process: ourselves, or a container runtime.
protocol ZTunnelKeeper: Actor {
  /// Where ztunnel's processes are from the start on; nil when that is known once it connects.
  nonisolated var ownCgroup: ControlGroup? { get }
  var status: ZTunnelProcess { get }

  /// Whether a process that connects may be our ztunnel.
  nonisolated func isWelcome(_ processID: Int32) -> Bool
  func start()
  /// A process connected; the group its packets come from, when that is new.
  func connected(_ processID: Int32) -> ControlGroup?
  func helloReceived(from processID: Int32)
  func disconnected(reason: String)
  /// Ends a ztunnel that this node agent cannot talk to; another is started in its place.
  func replace()
  /// From now on an end of ztunnel is what was wanted.
  func prepareToStop()
  /// Ends what is ours of it.
  func stop() async
}

/// What is known of the ztunnel process.
struct ZTunnelProcess: Hashable, Sendable {
  enum State: String, Hashable, Sendable {
    case stopped
    /// Started, found or waited for; it has not said hello yet.
    case starting
    case running
    /// Ended; the next start comes after a wait.
    case waiting
  }

  var state = State.stopped
  var processID: Int32?
  var cgroup: ControlGroup?
  /// It was found alive by this node agent.
  var isAdopted = false
  var restarts: UInt64 = 0
  var lastExit: String?
}
