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
    case .releasing: return .underWay(reason: "its release is under way")
    }
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
