import AgentProtocol
import Linux
import Logging
import MeshModel
import Redirect

/// ztunnel's DNS sockets on their way into the pods' redirection.
///
/// Nothing here outlives its use: a copy that stayed open would make a dead ztunnel look alive.
struct DNSSockets {
  /// Those that came before their pod was captured.
  var waiting: [String: [SharedDescriptor]] = [:]
  /// Pods whose queries were given back because ztunnel answers nothing.
  var suspended: Set<String> = []

  mutating func forget(_ uid: String) {
    waiting[uid] = nil
    suspended.remove(uid)
  }
}

extension Enroller {
  /// ztunnel's sockets for the pod's DNS; none: it wants none.
  func dnsListening(_ uid: String, _ sockets: [SharedDescriptor]) {
    guard let entry = entries[uid] else { return }
    dns.suspended.remove(uid)
    if entry.isRedirectedByUs {
      place(sockets, in: uid)
    } else {
      dns.waiting[uid] = sockets
    }
  }

  /// The pod is captured now.
  func placeWaitingDNS(in uid: String) {
    guard let sockets = dns.waiting.removeValue(forKey: uid) else { return }
    place(sockets, in: uid)
  }

  /// Acts on what a proof found.
  ///
  /// When a canary failed ztunnel may be stopped, and the pod's queries must not wait for it. When it
  /// answers again, it sends its sockets once more because it is asked to serve the pod.
  func followDNS(_ event: PodEnrolment.Event, of uid: String) {
    switch event {
    case .disproven:
      guard entries[uid]?.isRedirectedByUs == true else { return }
      place([], in: uid)
      dns.suspended.insert(uid)
    case .proven:
      guard dns.suspended.remove(uid) != nil else { return }
      _ = perform(.serve, on: uid)
    default: return
    }
  }

  /// A failure leaves the pod's queries to their own resolver, and is told.
  private func place(_ sockets: [SharedDescriptor], in uid: String) {
    do throws(RedirectError) {
      if let sockets = PodDNSSockets(sockets.map(\.number)) {
        try redirection.updateDNS(of: uid, to: sockets)
      } else {
        try redirection.removeDNS(of: uid)
      }
    } catch {
      logger.warning(
        "the pod's DNS queries are not captured",
        metadata: ["pod": "\(title(of: uid))", "error": "\(error)"])
    }
  }
}
