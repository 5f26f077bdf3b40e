import Linux
import MeshModel

/// Processes by the network namespace they are in, as /proc shows them at one moment.
struct PodProcesses: Sendable {
  private var byNamespace: [UInt64: [PodProcess]] = [:]

  /// Looks at every process for those in the given namespaces; one that ends meanwhile is left out.
  init(in namespaces: Set<UInt64>, except processID: Int32?) throws(LinuxError) {
    for entry in try Directory.entries("/proc") {
      guard let id = Int32(entry), id != processID else { continue }
      do throws(LinuxError) {
        let directory = try ProcessDirectory(processID: id)
        let inode = try directory.networkNamespace().inode()
        guard namespaces.contains(inode) else { continue }
        let line = try directory.controlGroups().split(separator: "\n")
          .first { $0.hasPrefix("0::/") }
        guard let line else { continue }
        byNamespace[inode, default: []].append(
          PodProcess(processID: id, cgroup: String(line.dropFirst("0::".count))))
      } catch {
        // It ended, or is a kernel thread's leftover: no process of the pod to look at.
        continue
      }
    }
  }

  subscript(namespace: UInt64) -> [PodProcess] { byNamespace[namespace] ?? [] }
}

/// One look at all of /proc for all proofs that were asked for before it began.
actor ProcessRounds {
  private struct Round {
    var begunAt: Instant
    var namespaces: Set<UInt64>
    var processID: Int32?
    var look: Task<Result<PodProcesses, LinuxError>, Never>
  }

  private var latest: Round?
  private(set) var rounds: UInt64 = 0

  /// What is in the namespaces, seen at `moment` or later.
  func look(
    in namespaces: Set<UInt64>, except processID: Int32?, since moment: Instant
  ) async throws(LinuxError) -> PodProcesses {
    if let latest, moment <= latest.begunAt, latest.processID == processID,
      namespaces.isSubset(of: latest.namespaces)
    {
      return try await latest.look.value.get()
    }
    let begunAt = MonotonicClock.now()
    let look = Task { await ProcessRounds.look(in: namespaces, except: processID) }
    latest = Round(begunAt: begunAt, namespaces: namespaces, processID: processID, look: look)
    rounds += 1
    return try await look.value.get()
  }

  private static func look(
    in namespaces: Set<UInt64>, except processID: Int32?
  ) async -> Result<PodProcesses, LinuxError> {
    do throws(LinuxError) {
      return try await onOwnThread("processes") {
        Result { () throws(LinuxError) in
          try PodProcesses(in: namespaces, except: processID)
        }
      }
    } catch {
      return .failure(error)
    }
  }
}
