import CNI
import Linux
import Logging
import MeshCompiler
import MeshModel

/// The owner of what runtimes said of this node's pods, and of the list of enrolled namespaces.
///
/// Asked whether a pod may start, it has the pod enrolled in the namespace the call names and waits
/// until the pod is captured. The call is believed: the runtime is root, on root's socket.
actor AdmissionKeeper {
  private let settings: CNISettings
  private let node: String
  private let callsFile: String
  private let enroller: Enroller
  /// Has the pods placed anew.
  private let placeAgain: @Sendable () -> Void
  private let logger = Logger(label: "cni")

  private var calls = CalledPods()
  private var placements: [PodPlacement]?
  private var namespaces = EnrolledNamespaces()
  private var isLeaving = false
  private(set) var underWay = 0
  /// Answers by their names.
  private(set) var answers: [String: UInt64] = [:]
  /// Why a file of ours is not written.
  private var fileProblems: [String: String] = [:]

  init(
    _ settings: CNISettings, node: String, callsFile: String, enroller: Enroller,
    placeAgain: @escaping @Sendable () -> Void
  ) {
    self.settings = settings
    self.node = node
    self.callsFile = callsFile
    self.enroller = enroller
    self.placeAgain = placeAgain
    calls = AdmissionKeeper.restored(callsFile, logger)
    namespaces.listed = AdmissionKeeper.list(settings.enrolledFile)
  }

  // MARK: The mesh

  /// Takes what the mesh says of this node; the placements with what runtimes said of their pods.
  func take(_ placements: [PodPlacement], namespaces known: Set<String>) -> [PodPlacement] {
    self.placements = placements
    namespaces.known = known
    if namespaces.listed != known { writeList(known) }
    return placements.map(calls.completed)
  }

  /// Whether the plugin can decide without us.
  var hasList: Bool { namespaces.listed != nil }

  private func writeList(_ known: Set<String>) {
    let isWritten = write(settings.enrolledFile, EnrolledList(namespaces: known).bytes)
    if isWritten { namespaces.listed = known }
  }

  // MARK: Calls

  func answer(_ request: CNIRequest) async -> CNIAnswer {
    underWay += 1
    let answer = await decide(request)
    underWay -= 1
    answers[answer.name, default: 0] += 1
    if let reason = answer.reason {
      logger.warning(
        "a pod may not start",
        metadata: [
          "pod": "\(request.pod.namespace)/\(request.pod.name)", "answer": "\(answer.name)",
          "reason": "\(reason)",
        ])
    }
    return answer
  }

  private func decide(_ request: CNIRequest) async -> CNIAnswer {
    switch request.kind {
    case .status: return .enrolled
    case .delete:
      delete(request)
      return .enrolled
    case .add, .check:
      guard !request.pod.namespace.isEmpty else { return .notOurs }
      return await admit(request)
    }
  }

  private func delete(_ request: CNIRequest) {
    guard calls.forget(container: request.containerID) else { return }
    saveCalls()
    placeAgain()
  }

  private func admit(_ request: CNIRequest) async -> CNIAnswer {
    let deadline = MonotonicClock.now() + namespaces.wait(for: request.pod.namespace)
    var noted: (uid: String, inode: UInt64)?
    while true {
      if isLeaving { return .notYet(reason: "node-agent is leaving this node") }
      var found = finding(of: request.pod, among: placements, on: node, calls)
      if let placement = wanted(by: request.pod, found), placement.uid != noted?.uid {
        switch await note(request, of: placement) {
        case .noted(let inode): noted = (placement.uid, inode)
        case .impossible(let answer): return answer
        }
        found = finding(of: request.pod, among: placements, on: node, calls)
      }
      var standing: PodStanding?
      if case .wanted(let placement) = found, let noted, noted.uid == placement.uid {
        standing = await enroller.standing(of: placement.uid, in: noted.inode)
      }
      switch admissionStep(found, standing) {
      case .answer(let answer): return answer
      case .wait(let reason):
        if deadline <= MonotonicClock.now() {
          return answerAfterWait(
            found, reason: reason,
            isNamespaceEnrolled: namespaces.mayEnrol(request.pod.namespace))
        }
        await rest()
      }
    }
  }

  /// The placement, as it was before this call, of a pod that is to be enrolled.
  private func wanted(by pod: CNI.Pod, _ found: PodFinding) -> PodPlacement? {
    switch found {
    case .unknown, .outside: nil
    case .unaddressed, .wanted:
      placements?.first { $0.namespace == pod.namespace && $0.name == pod.name }
    }
  }

  private enum Noting {
    case noted(UInt64)
    case impossible(CNIAnswer)
  }

  /// Takes down where the pod is, and has it enrolled there.
  private func note(_ request: CNIRequest, of placement: PodPlacement) async -> Noting {
    let path = request.namespacePath
    guard let inode = AdmissionKeeper.inode(path) else {
      return .impossible(.refused(reason: "its network namespace \(path) does not open"))
    }
    if let own = placement.networkNamespace, AdmissionKeeper.inode(own) != inode {
      return .impossible(
        .refused(reason: "the pod is annotated with \(own), another namespace than \(path)"))
    }
    let addresses = request.addresses.compactMap(IPAddress.init)
    guard let pod = desiredPods(of: [CalledPods.enrolled(placement)], on: node).first else {
      return .impossible(.notYet(reason: "the pod is not on this node yet"))
    }
    if let objection = await enroller.objection(to: path, of: pod) {
      return .impossible(.refused(reason: objection))
    }
    let isStale = Set(placement.addresses).isDisjoint(with: addresses)
    let call = CalledPod(
      containerID: request.containerID, path: path, inode: inode, addresses: addresses,
      formerAddresses: isStale ? placement.addresses : [])
    guard calls.pods[placement.uid] != call else { return .noted(inode) }
    let placed = Set((placements ?? []).map(\.uid))
    guard calls.note(call, of: placement.uid, placed: placed) else {
      return .impossible(.notYet(reason: "\(Limit.calledPods) pods are remembered already"))
    }
    saveCalls()
    placeAgain()
    return .noted(inode)
  }

  private func rest() async {
    do {
      try await Task.sleep(for: Limit.calledPodCheck)
    } catch {
      // The node ends.
      isLeaving = true
    }
  }

  /// From now on no pod is let in: those that are here are being released.
  func leave() { isLeaving = true }

  // MARK: Files

  private static func inode(_ path: String) -> UInt64? {
    do throws(LinuxError) {
      return try NetworkNamespace.open(path: path).inode()
    } catch {
      return nil
    }
  }

  private static func restored(_ path: String, _ logger: Logger) -> CalledPods {
    guard File.exists(path) else { return CalledPods() }
    do {
      var calls = try CalledPods(reading: try File.read(path, atMost: CNI.Limit.inputBytes))
      calls.keep(where: inode)
      return calls
    } catch {
      logger.error(
        "what runtimes said of pods is lost; their pods are found again when they restart",
        metadata: ["file": "\(path)", "error": "\(error)"])
      return CalledPods()
    }
  }

  private static func list(_ path: String) -> Set<String>? {
    do {
      return try EnrolledList(reading: try File.read(path, atMost: CNI.Limit.inputBytes))
        .namespaces
    } catch {
      // The first is written when the mesh was read.
      return nil
    }
  }

  private func saveCalls() { _ = write(callsFile, calls.bytes) }

  private func write(_ path: String, _ bytes: [UInt8]) -> Bool {
    do throws(LinuxError) {
      try File.replace(path, with: bytes)
      fileProblems[path] = nil
      return true
    } catch {
      logger.error("not written", metadata: ["file": "\(path)", "error": "\(error)"])
      fileProblems[path] = "\(path) is not written: \(error)"
      return false
    }
  }

  // MARK: Status

  func complete(_ status: inout CNIStatus) {
    status.socket = settings.socket
    status.enrolledNamespaces = (namespaces.listed ?? []).sorted()
    status.pods = calls.pods.count
    status.underWay = underWay
    status.answers = answers
    status.problems += fileProblems.values.sorted()
  }
}

extension CalledPods {
  /// The placement as if its addresses were known.
  fileprivate static func enrolled(_ placement: PodPlacement) -> PodPlacement {
    var placement = placement
    placement.enrolment = .enrolled
    return placement
  }
}

extension CNIAnswer {
  fileprivate var name: String {
    switch self {
    case .enrolled: "enrolled"
    case .notOurs: "notOurs"
    case .refused: "refused"
    case .notYet: "notYet"
    }
  }

  fileprivate var reason: String? {
    switch self {
    case .enrolled, .notOurs: nil
    case .refused(let reason), .notYet(let reason): reason
    }
  }
}
