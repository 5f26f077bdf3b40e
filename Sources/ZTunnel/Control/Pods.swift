import AgentProtocol
import Linux
import MeshModel

/// A pod as the control thread holds it.
struct ControlledPod {
  let shared: PodNamespace
  /// In the order of `ListenerKind.allCases`.
  var listeners: [ListenerSocket]
  /// Empty when the pod's queries go to its own resolver.
  var dnsPorts: [DNSPort] = []
}

/// A pod that workers are letting go.
struct Removal {
  /// Workers that still have to say so.
  var remaining: Int
}

extension Control {
  func addPod(_ pod: Pod, _ descriptors: inout DescriptorList) {
    if let served = pods[pod.uid] {
      if served.shared.pod.workloadUID == pod.workloadUID {
        sendListening(served)
        return
      }
      letGo(pod.uid)
    }
    guard pods.count < ZTunnelLimit.pods else {
      send(.podFailed(uid: pod.uid, reason: "\(ZTunnelLimit.pods) pods are served already"))
      return
    }
    guard let first = descriptors.takeFirst() else {
      send(.podFailed(uid: pod.uid, reason: "no network namespace came with the message"))
      return
    }
    do throws(LinuxError) {
      let shared = PodNamespace(pod: pod, namespace: try NetworkNamespace(adopting: first))
      var listeners: [ListenerSocket] = []
      for kind in ListenerKind.allCases {
        listeners.append(try listener(kind, of: shared, adopting: descriptors.takeFirst()))
      }
      let controlled = ControlledPod(
        shared: shared, listeners: listeners, dnsPorts: makeDNSPorts(of: shared))
      pods[pod.uid] = controlled
      updateIdentity(of: pod)
      tellWorkers(.addPod(shared, listeners))
      tellWorkers(.dns(podUID: pod.uid, controlled.dnsPorts))
      sendListening(controlled)
    } catch {
      send(.podFailed(uid: pod.uid, reason: "\(error)"))
    }
  }

  /// The kept listener when it still listens, a fresh one otherwise.
  private func listener(
    _ kind: ListenerKind, of pod: PodNamespace, adopting kept: consuming OwnedDescriptor?
  ) throws(LinuxError) -> ListenerSocket {
    if let kept {
      let socket = Socket(kept)
      do throws(LinuxError) {
        if try socket.isListening() {
          return try ListenerSocket(podUID: pod.pod.uid, kind: kind, socket: socket)
        }
      } catch {
        // Not a socket that could serve: make one.
      }
    }
    let loopback: IPAddress = kind.isIPv4 ? .v4(0x7f00_0001) : .v6(high: 0, low: 1)
    let socket = try pod.namespace.run { () throws(LinuxError) in
      try Socket.listener(on: SocketAddress(ip: loopback, port: 0), isTransparent: true)
    }
    return try ListenerSocket(podUID: pod.pod.uid, kind: kind, socket: socket)
  }

  /// Sends copies of the six listeners, for the agent to keep.
  func sendListening(_ pod: ControlledPod) {
    var copies = DescriptorList()
    do throws(LinuxError) {
      for listener in pod.listeners { try copies.append(copying: listener.socket) }
    } catch {
      send(.podFailed(uid: pod.shared.pod.uid, reason: "\(error)"))
      return
    }
    send(.podListening(uid: pod.shared.pod.uid), copies)
    sendDNSListening(pod)
  }

  /// Something in the pod destroyed the listener: a fresh one takes its place.
  func remake(_ broken: ListenerSocket) {
    guard var pod = pods[broken.podUID],
      let index = pod.listeners.firstIndex(where: { $0 === broken })
    else { return }
    do throws(LinuxError) {
      let fresh = try listener(broken.kind, of: pod.shared, adopting: nil)
      pod.listeners[index] = fresh
      pods[broken.podUID] = pod
      tellWorkers(.replaceListener(fresh))
      sendListening(pod)
    } catch {
      send(.podFailed(uid: broken.podUID, reason: "a listener could not be made anew: \(error)"))
    }
  }

  func removePod(_ uid: String) {
    guard pods[uid] != nil else {
      if removals[uid] == nil { send(.podRemoved(uid: uid)) }
      return
    }
    letGo(uid)
  }

  private func letGo(_ uid: String) {
    pods[uid] = nil
    for released in identities.setIdentity(nil, ofPod: uid) {
      tellWorkers(.credentials(released, nil))
    }
    removals[uid, default: Removal(remaining: 0)].remaining += workers.count
    tellWorkers(.removePod(uid: uid))
  }

  /// One worker holds nothing of the pod any more; after the last, nothing of it is open here.
  func released(_ uid: String) {
    guard var removal = removals[uid] else { return }
    removal.remaining -= 1
    removals[uid] = removal.remaining > 0 ? removal : nil
    if removal.remaining == 0, pods[uid] == nil { send(.podRemoved(uid: uid)) }
  }
}

extension ListenerKind {
  var isIPv4: Bool {
    switch self {
    case .outbound4, .inbound4, .hbone4: true
    case .outbound6, .inbound6, .hbone6: false
    }
  }
}
