import AgentProtocol
import Linux
import MeshModel

/// A pod's DNS socket of one family, shared by all threads.
///
/// Its last owner closes it, and from then on the pod's queries go to their own resolver: nothing
/// may keep it that does not read from it.
final class DNSPort: Sendable {
  let podUID: String
  let socket: DatagramSocket
  /// Stays with answers that are on their way.
  let replies: ReplyPort

  /// Makes both sockets in the pod's namespace.
  init(of pod: PodNamespace, on loopback: IPAddress, mark: UInt32) throws(LinuxError) {
    podUID = pod.pod.uid
    replies = try ReplyPort(of: pod, isIPv4: loopback.isIPv4, mark: mark)
    socket = try pod.namespace.run { () throws(LinuxError) in
      try DatagramSocket.steered(
        on: loopback, receiveBufferBytes: DNSLimit.receiveBufferBytes)
    }
  }
}

/// The way answers go back to a pod's applications.
final class ReplyPort: Sendable {
  let socket: ReplySocket

  fileprivate init(of pod: PodNamespace, isIPv4: Bool, mark: UInt32) throws(LinuxError) {
    socket = try pod.namespace.run { () throws(LinuxError) in
      try ReplySocket(isIPv4: isIPv4, mark: mark)
    }
  }
}
