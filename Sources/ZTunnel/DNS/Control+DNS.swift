import AgentProtocol
import Linux
import MeshModel

extension Control {
  /// Whether the mesh answers the DNS queries of a pod.
  private func capturesDNS(of pod: Pod) -> Bool {
    configuration?.dnsCapture == true && pod.dnsCapture && ending == nil
  }

  /// The pod's DNS sockets: one for each family its namespace has, none when it wants none.
  ///
  /// Without them queries go to their own resolver, so a failure is told and harms no more.
  func makeDNSPorts(of pod: PodNamespace) -> [DNSPort] {
    guard capturesDNS(of: pod.pod), let mark = configuration?.mark else { return [] }
    var ports: [DNSPort] = []
    for loopback in [IPAddress.v4(0x7f00_0001), .v6(high: 0, low: 1)] {
      do throws(LinuxError) {
        ports.append(try DNSPort(of: pod, on: loopback, mark: mark))
      } catch {
        // A pod may well have no IPv6; without IPv4 neither is any use.
        if loopback.isIPv4 {
          CurrentProcess.writeError("ztunnel: no DNS socket in pod \(pod.pod.uid): \(error)")
          return []
        }
      }
    }
    return ports
  }

  /// Sends copies of the DNS sockets, for the agent to put in place and close.
  func sendDNSListening(_ pod: ControlledPod) {
    var copies = DescriptorList()
    do throws(LinuxError) {
      for port in pod.dnsPorts { try copies.append(copying: port.socket) }
    } catch {
      CurrentProcess.writeError("ztunnel: pod \(pod.shared.pod.uid): \(error)")
      return
    }
    send(.dnsListening(uid: pod.shared.pod.uid), copies)
  }

  /// The configuration may have switched capture on or off.
  func followDNSConfiguration() {
    for (uid, pod) in pods where capturesDNS(of: pod.shared.pod) == pod.dnsPorts.isEmpty {
      var pod = pod
      pod.dnsPorts = makeDNSPorts(of: pod.shared)
      pods[uid] = pod
      tellWorkers(.dns(podUID: uid, pod.dnsPorts))
      sendDNSListening(pod)
    }
  }

  /// Lets go of every DNS socket: the end is near, and queries need not wait for it.
  func closeDNSPorts() {
    for uid in Array(pods.keys) { pods[uid]?.dnsPorts = [] }
  }
}
