import Linux
import Logging
import Synchronization

/// A ztunnel that somebody else starts and ends, such as the container beside ours.
///
/// Any process of root's that reaches the socket may be it: the directory is closed to others. Its
/// control group is what lets its packets out of the pods, so one that others share is refused.
actor ExternalZTunnel: ZTunnelKeeper {
  nonisolated var ownCgroup: ControlGroup? { nil }

  private(set) var status = ZTunnelProcess()
  private var isStopping = false
  private let logger = Logger(label: "ztunnel")
  /// Why the last one was turned away; told once, as it tries again at once.
  private let refusal = Mutex("")

  func start() { status.state = .starting }

  nonisolated func isWelcome(_ processID: Int32) -> Bool {
    let reason = ExternalZTunnel.objection(to: processID) ?? ""
    let isNews = refusal.withLock { last in
      defer { last = reason }
      return last != reason
    }
    if isNews, !reason.isEmpty {
      logger.error(
        "a ztunnel is turned away", metadata: ["process": "\(processID)", "reason": "\(reason)"])
    }
    return reason.isEmpty
  }

  /// Why a process cannot be a ztunnel whose packets are told from all others.
  private static func objection(to processID: Int32) -> String? {
    do throws(LinuxError) {
      let group = try ControlGroup.ofProcess(processID)
      let shared = [try ControlGroup.root(), try ControlGroup.ofProcess(CurrentProcess.id)]
      return shared.contains(group)
        ? "its cgroup \(group.path) is not its own: run it in a container or a cgroup of its own"
        : nil
    } catch {
      return "\(error): the node agent must see the host's processes and cgroups (hostPID)"
    }
  }

  func connected(_ processID: Int32) -> ControlGroup? {
    do throws(LinuxError) {
      let group = try ControlGroup.ofProcess(processID)
      if status.processID != nil, status.processID != processID { status.restarts += 1 }
      status.processID = processID
      status.state = .starting
      guard status.cgroup != group else { return nil }
      status.cgroup = group
      return group
    } catch {
      // It ended at once: its connection does too.
      disconnected(reason: "\(error)")
      return nil
    }
  }

  func helloReceived(from processID: Int32) {
    if status.processID == processID { status.state = .running }
  }

  func disconnected(reason: String) {
    status.lastExit = reason
    if !isStopping { status.state = .starting }
  }

  func replace() {
    do throws(LinuxError) {
      try status.cgroup?.kill()
    } catch {
      logger.error("ztunnel's cgroup cannot be killed", metadata: ["error": "\(error)"])
    }
  }

  func prepareToStop() { isStopping = true }

  func stop() { status.state = .stopped }
}
