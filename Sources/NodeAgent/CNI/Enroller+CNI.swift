import Linux
import MeshModel

extension Enroller {
  /// How far a pod's enrolment is in the namespace of this inode.
  func standing(of uid: String, in inode: UInt64) -> PodStanding {
    guard let entry = entries[uid] else { return .underWay(reason: "it is not looked at yet") }
    guard let namespace = entry.namespace, namespace.inode == inode else {
      return .underWay(reason: entry.enrolment.state.reason ?? "its namespace is not open yet")
    }
    let enrolment = entry.enrolment
    switch enrolment.state {
    case .proving, .enrolled:
      return enrolment.isRedirected ? .captured : .underWay(reason: "it is not captured yet")
    case .closed(let reason):
      // Without ztunnel nobody serves it, and it is captured all the same.
      let isServable = enrolment.isServed || !enrolment.isTunnelConnected
      return isServable ? .captured : .contradicted(reason: reason)
    case .waiting(let reason), .failed(let reason): return .underWay(reason: reason)
    case .listening: return .underWay(reason: "ztunnel does not listen in it yet")
    case .draining, .releasing: return .underWay(reason: "its release is under way")
    }
  }

  /// Follows what a runtime says now of where a cluster's pod is, or that it says nothing any more.
  func followCall(of uid: String) {
    guard namespaceSource == .controlGroups, let entry = entries[uid] else { return }
    if entry.isOnItsWayOut { return }
    entries[uid]?.calledAt = entry.pod.networkNamespace.map { _ in MonotonicClock.now() }
    if let namespace = entry.namespace, namespace.inode != calledNamespace(of: entry.pod) {
      look(at: uid)
    }
  }

  /// The namespace to which the path of a CNI call leads; nil without a call or a namespace.
  func calledNamespace(of pod: DesiredPod) -> UInt64? {
    guard namespaceSource == .controlGroups, let path = pod.networkNamespace else { return nil }
    do throws(LinuxError) {
      return try NetworkNamespace.open(path: path).inode()
    } catch {
      return nil
    }
  }

  /// Opens the namespace that a CNI call names for a cluster's pod; nil when there is none to open.
  func openCalled(_ uid: String, _ pod: DesiredPod) -> PodEnrolment.Event? {
    guard let path = pod.networkNamespace else { return nil }
    do throws(LinuxError) {
      return try opened(try PodNamespace(path: path), of: uid, pod)
    } catch {
      // The sandbox of the call is gone: processes say where the pod is.
      return nil
    }
  }

  /// Whether a process of the pod was seen in its namespace; manifests need none.
  func isWitnessed(_ uid: String) -> Bool {
    namespaceSource == .annotations || entries[uid]?.witness != nil
  }

  /// Why a namespace cannot be the pod's; nil when nothing speaks against it.
  func objection(to path: String, of pod: DesiredPod) -> String? {
    do throws(LinuxError) {
      var pod = pod
      pod.networkNamespace = path
      let namespace = try PodNamespace(path: path)
      return contradiction(in: proofInputs(of: pod.uid, pod, namespace))?.description
    } catch {
      return "its network namespace does not open: \(error)"
    }
  }
}
