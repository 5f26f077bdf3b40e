import Linux
import MeshModel

/// A process of a pod, held on to: while it is where it was, so is the pod.
final class PodWitness: Sendable {
  let namespaceInode: UInt64
  private let directory: ProcessDirectory

  /// Nil when the process is not of the pod, or not in the namespace, any more.
  init?(processID: Int32, of uid: String, in inode: UInt64) throws(LinuxError) {
    let directory = try ProcessDirectory(processID: processID)
    guard PodCgroup.uids(in: try directory.controlGroups()) == [uid],
      try directory.networkNamespace().inode() == inode
    else { return nil }
    self.directory = directory
    namespaceInode = inode
  }

  var processID: Int32 { directory.processID }

  /// The pod's namespace, opened through the process and no other.
  func namespace() throws(LinuxError) -> NetworkNamespace { try directory.networkNamespace() }

  /// Whether it lives, in the namespace it was in.
  var isThere: Bool {
    do throws(LinuxError) {
      return try namespace().inode() == namespaceInode
    } catch {
      return false
    }
  }
}

/// One look at all of /proc for the pods that were asked for.
struct PodSearch: Sendable {
  let sighting: Sighting
  /// By uid, one in each namespace that may be the pod's; nothing for a pod that changed meanwhile.
  private(set) var witnesses: [String: [PodWitness]] = [:]

  init(for uids: Set<String>, nodeNamespace: UInt64) throws(LinuxError) {
    var processes: [SightedProcess] = []
    for entry in try Directory.entries("/proc") {
      guard let processID = Int32(entry) else { continue }
      do throws(LinuxError) {
        let directory = try ProcessDirectory(processID: processID)
        let podUIDs = PodCgroup.uids(in: try directory.controlGroups())
        if podUIDs.isEmpty { continue }
        processes.append(
          SightedProcess(
            processID: processID, podUIDs: podUIDs,
            namespace: try directory.networkNamespace().inode()))
      } catch {
        guard error.isGoneProcess else { throw error }
      }
    }
    let own = try ProcessDirectory(processID: CurrentProcess.id).controlGroups()
    sighting = Sighting(
      processes: processes, nodeNamespace: nodeNamespace, ownPod: PodCgroup.uids(in: own))
    for uid in uids { witnesses[uid] = try witnesses(of: uid) }
  }

  private func witnesses(of uid: String) throws(LinuxError) -> [PodWitness] {
    var found: [PodWitness] = []
    for inode in sighting.candidates(for: uid) {
      guard let processID = sighting.witness(of: uid, in: inode) else { continue }
      do throws(LinuxError) {
        if let witness = try PodWitness(processID: processID, of: uid, in: inode) {
          found.append(witness)
        }
      } catch {
        guard error.isGoneProcess else { throw error }
      }
    }
    return found
  }
}

/// Pods to look for, all at once, one look after the other.
struct SightingQueue {
  private var waiting: Set<String> = []
  private var isLooking = false
  private var nextRoundAt: Instant?

  /// Whether it is time to look at all pods again, whoever asked for what.
  mutating func isRoundDue(at now: Instant) -> Bool {
    if let nextRoundAt, now < nextRoundAt { return false }
    nextRoundAt = now + Limit.sightingInterval
    return true
  }

  /// True when nobody looks yet: the caller has to.
  mutating func add(_ uid: String) -> Bool {
    waiting.insert(uid)
    defer { isLooking = true }
    return !isLooking
  }

  /// Those to look for next; nil, and nobody looks any more, when there are none.
  mutating func next() -> Set<String>? {
    guard !waiting.isEmpty else {
      isLooking = false
      return nil
    }
    defer { waiting = [] }
    return waiting
  }
}
