import Linux
import Logging
import MeshModel
import Telemetry

/// The owner of the ztunnel process: its cgroup, its starts and its ends.
actor Supervisor: ZTunnelKeeper {
  /// A process that several tasks refer to.
  private final class Process: Sendable {
    let handle: ProcessHandle
    init(_ handle: consuming ProcessHandle) { self.handle = handle }
  }

  let cgroup: ControlGroup
  /// Those made here, from the innermost on.
  private let ownCgroups: [ControlGroup]
  private let path: String
  private let arguments: [String]
  private let logger = Logger(label: "ztunnel")
  private var process: Process?
  private var state = ZTunnelProcess.State.stopped
  private var isAdopted = false
  private var restarts: UInt64 = 0
  private var lastExit: String?
  private var schedule = RestartSchedule()
  private var isStopping = false
  /// The process that said hello last; it may have done so before it was found here.
  private var greeter: Int32?

  /// Makes or finds the cgroup `skein/<node>/ztunnel`, unless another is given.
  init(
    node: String, path: String, arguments: [String], givenCgroup: String?
  ) throws(LinuxError) {
    self.path = path
    self.arguments = arguments
    if let givenCgroup {
      cgroup = try ControlGroup(path: givenCgroup)
      ownCgroups = []
    } else {
      let nodeCgroup = try ControlGroup.root().make("skein").make(node)
      cgroup = try nodeCgroup.make("ztunnel")
      ownCgroups = [cgroup, nodeCgroup]
    }
  }

  nonisolated var ownCgroup: ControlGroup? { cgroup }

  var status: ZTunnelProcess {
    ZTunnelProcess(
      state: state, processID: processID, cgroup: cgroup, isAdopted: isAdopted,
      restarts: restarts, lastExit: lastExit)
  }

  private var processID: Int32? { process?.handle.processID }

  nonisolated func isWelcome(_ processID: Int32) -> Bool {
    do throws(LinuxError) {
      return try cgroup.processes().contains(processID)
    } catch {
      return false
    }
  }

  /// Takes over a ztunnel that lives in the cgroup, or starts one.
  func start() {
    guard state == .stopped, !adopt() else { return }
    spawn()
  }

  private func adopt() -> Bool {
    do throws(LinuxError) {
      guard let id = try cgroup.processes().first,
        let handle = try ProcessHandle.open(processID: id)
      else { return false }
      logger.info("found ztunnel alive", metadata: ["process": "\(id)"])
      isAdopted = true
      watch(Process(handle))
      replaceUnlessHello(process: id)
      return true
    } catch {
      logger.error("ztunnel's cgroup cannot be read", metadata: ["error": "\(error)"])
      return false
    }
  }

  /// A process that says nothing is not our ztunnel, or not a living one.
  private func replaceUnlessHello(process id: Int32) {
    Task {
      do {
        try await Task.sleep(for: Limit.adoptionWait)
      } catch {
        return
      }
      guard processID == id, state == .starting else { return }
      logger.warning(
        "the ztunnel found does not answer, killing it", metadata: ["process": "\(id)"])
      kill()
    }
  }

  private func spawn() {
    guard !isStopping else { return }
    do throws(LinuxError) {
      let child = ChildProcess(path: path, arguments: arguments, controlGroup: cgroup)
      let handle = try child.spawn()
      isAdopted = false
      logger.info("ztunnel started", metadata: ["process": "\(handle.processID)"])
      watch(Process(handle))
    } catch {
      lastExit = "not started: \(error)"
      logger.error("ztunnel does not start", metadata: ["error": "\(error)"])
      restart()
    }
  }

  private func watch(_ process: Process) {
    self.process = process
    state = greeter == process.handle.processID ? .running : .starting
    Task {
      let status = await end(of: process)
      ended(process, status)
    }
  }

  /// Waits on a thread of its own until the process has ended.
  private func end(of process: Process) async -> String {
    do throws(LinuxError) {
      let outcome = try await onOwnThread("ztunnel-watch") {
        Result { () throws(LinuxError) in try Supervisor.wait(for: process.handle) }
      }
      return try outcome.get()
    } catch {
      return "\(error)"
    }
  }

  private static func wait(for handle: borrowing ProcessHandle) throws(LinuxError) -> String {
    let poller = try Poller()
    try poller.add(handle.number, token: 0, .readable)
    var events: [PollEvent] = []
    while events.isEmpty { try poller.wait(timeout: nil, into: &events) }
    do throws(LinuxError) {
      return try handle.exitStatus()?.description ?? "ended"
    } catch {
      // A ztunnel of an earlier node agent is no child of ours: how it ended is not told.
      return "ended"
    }
  }

  private func ended(_ process: Process, _ status: String) {
    guard self.process === process else { return }
    self.process = nil
    lastExit = status
    guard !isStopping else {
      state = .stopped
      return
    }
    logger.error(
      "ztunnel ended", metadata: ["process": "\(process.handle.processID)", "status": "\(status)"])
    restart()
  }

  private func restart() {
    restarts += 1
    let delay = schedule.delayAfterCrash(at: MonotonicClock.now())
    guard delay > .zero else { return spawn() }
    state = .waiting
    logger.warning("ztunnel starts again later", metadata: ["after": "\(delay.brief)"])
    Task {
      do {
        try await Task.sleep(for: delay)
      } catch {
        return
      }
      if state == .waiting { spawn() }
    }
  }

  func connected(_ processID: Int32) -> ControlGroup? { nil }

  func helloReceived(from processID: Int32) {
    greeter = processID
    if self.processID == processID { state = .running }
  }

  func disconnected(reason: String) {}

  func replace() { kill() }

  private func kill() {
    do throws(LinuxError) {
      try cgroup.kill()
    } catch {
      logger.error("ztunnel's cgroup cannot be killed", metadata: ["error": "\(error)"])
    }
  }

  func prepareToStop() { isStopping = true }

  /// Ends ztunnel and removes its cgroup; nothing of it is left behind.
  func stop() async {
    isStopping = true
    do {
      if let process, try process.handle.send(.terminate) {
        await waitForEnd(atMost: Limit.ztunnelStopWait)
      }
      if try !cgroup.processes().isEmpty {
        kill()
        await waitForEnd(atMost: Limit.ztunnelStopWait)
      }
      try await removeControlGroups(ownCgroups)
    } catch {
      logger.error("ztunnel's cgroup stays", metadata: ["error": "\(error)"])
    }
    state = .stopped
  }

  private func waitForEnd(atMost limit: Duration) async {
    let deadline = MonotonicClock.now() + limit
    while process != nil, MonotonicClock.now() < deadline {
      do {
        try await Task.sleep(for: .milliseconds(5))
      } catch {
        return
      }
    }
  }
}

/// Removes groups from the innermost on, waiting for dying processes; then `skein`, if unused.
func removeControlGroups(_ groups: [ControlGroup]) async throws {
  let deadline = MonotonicClock.now() + Limit.cgroupRemovalWait
  for group in groups {
    while try group.remove() == .busy, MonotonicClock.now() < deadline {
      try await Task.sleep(for: .milliseconds(10))
    }
  }
  // Other nodes of this machine may still have theirs in it.
  if let shared = try ControlGroup.root().child("skein") { _ = try shared.remove() }
}
