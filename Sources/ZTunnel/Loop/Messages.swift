import AgentProtocol
import Linux
import MeshModel
import TLS

/// A pod's network namespace, shared by all threads; it closes with its last user.
final class PodNamespace: Sendable {
  let pod: Pod
  let namespace: NetworkNamespace

  init(pod: Pod, namespace: consuming NetworkNamespace) {
    self.pod = pod
    self.namespace = namespace
  }
}

/// One listener in a pod's namespace, shared by all threads.
final class ListenerSocket: Sendable {
  let podUID: String
  let kind: ListenerKind
  let socket: Socket
  /// Where it is bound; a connection to this very address was not steered to us.
  let bound: SocketAddress

  init(podUID: String, kind: ListenerKind, socket: consuming Socket) throws(LinuxError) {
    bound = try socket.localAddress()
    // The sockets it accepts have the same options.
    try socket.setNoDelay()
    try socket.setKeepAlive(.ours)
    self.podUID = podUID
    self.kind = kind
    self.socket = socket
  }
}

/// What the control thread tells each worker, in order.
enum WorkerCommand: Sendable {
  case configure(Configuration)
  case model(MeshIndex, rejudge: PolicyScope)
  case addPod(PodNamespace, [ListenerSocket])
  case replaceListener(ListenerSocket)
  /// The pod's DNS sockets from now on.
  case dns(podUID: String, [DNSPort])
  case removePod(uid: String)
  /// Nil: nobody here needs the identity any more.
  case credentials(SPIFFEID, Credentials?)
  case trust(Trust)
  case inspect(request: UInt64, InspectionSection)
  case drain(until: Instant)
  /// From another worker.
  case accepted(HandedSocket)
}

/// What a worker tells the control thread.
enum WorkerReport: Sendable {
  case messages([TunnelMessage])
  /// The kernel destroyed the listener (accept answers EINVAL).
  case listenerBroken(ListenerSocket)
  /// This worker holds nothing of the pod any more.
  case podReleased(uid: String)
  case inspected(request: UInt64, worker: Int, WorkerInspection)
  case drained(worker: Int, cut: UInt32)
}

/// What a worker holds, and what happened to it since its start.
struct WorkerCounts: Sendable {
  var connections: UInt64
  var tunnels: UInt64
  var droppedRecords: UInt64
  var failedAccepts: UInt64
  var revoked: Revoked
}

/// One worker's part of an inspection.
enum WorkerInspection: Sendable {
  case counts(WorkerCounts)
  case connections([ConnectionRecord])
  case tunnels([TunnelRecord])
  case metrics([MetricSample])
  case dns([DNSSample])
}
