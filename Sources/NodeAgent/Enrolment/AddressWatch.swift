import Linux
import Synchronization

/// Tells which pods' addresses or interfaces changed, from one thread for all of them.
final class AddressWatch: Sendable {
  /// The uids of pods to look at.
  let changes: AsyncStream<String>
  private let shared: Shared
  private let stopping: EventDescriptor
  private let thread: Mutex<WorkerThread?>

  private final class Shared: Sendable {
    let poller: Poller
    let pods = Mutex<[UInt64: String]>([:])
    let unhandled = Mutex(Unhandled())

    init() throws(LinuxError) { poller = try Poller() }
  }

  /// Pods in `changes` that nobody has looked at since, each once.
  ///
  /// A pod that changes its addresses without end is one to look at, not a queue of them.
  struct Unhandled {
    private var uids: Set<String> = []

    /// Those of `changed` that are not waiting yet.
    mutating func add(_ changed: [String]) -> [String] {
      changed.filter { uids.insert($0).inserted }
    }

    mutating func remove(_ uid: String) { uids.remove(uid) }
  }

  /// Token 0 is the descriptor that ends the thread.
  private let nextToken = Atomic<UInt64>(1)

  init() throws(LinuxError) {
    let (stream, continuation) = AsyncStream.makeStream(of: String.self)
    changes = stream
    let shared = try Shared()
    self.shared = shared
    stopping = try EventDescriptor()
    try shared.poller.add(stopping.number, token: 0, .readable)
    thread = Mutex(
      try WorkerThread(name: "addresses") { AddressWatch.run(shared, continuation) })
  }

  /// Watches until the namespace's monitor closes with it.
  func watch(_ namespace: PodNamespace, of uid: String) throws(LinuxError) -> UInt64 {
    let token = nextToken.add(1, ordering: .relaxed).oldValue
    shared.pods.withLock { $0[token] = uid }
    // Edge-triggered: the owner of the pod drains the monitor, in its own time.
    try shared.poller.add(namespace.monitorNumber, token: token, [.readable, .edgeTriggered])
    return token
  }

  /// Call before looking at a pod of `changes`: what happens from now on is told again.
  func willLook(at uid: String) { shared.unhandled.withLock { $0.remove(uid) } }

  func forget(_ token: UInt64) {
    _ = shared.pods.withLock { $0.removeValue(forKey: token) }
  }

  func stop() {
    stopping.signal()
    let thread = self.thread.withLock { $0.take() }
    if let thread { thread.join() }
  }

  private static func run(_ shared: Shared, _ changes: AsyncStream<String>.Continuation) {
    defer { changes.finish() }
    var events: [PollEvent] = []
    while true {
      do throws(LinuxError) {
        try shared.poller.wait(timeout: nil, into: &events)
      } catch {
        CurrentProcess.writeError("node-agent: addresses are no longer followed: \(error)")
        return
      }
      if events.contains(where: { $0.token == 0 }) { return }
      let pods = shared.pods.withLock { pods in events.compactMap { pods[$0.token] } }
      for uid in shared.unhandled.withLock({ $0.add(pods) }) { changes.yield(uid) }
    }
  }
}
