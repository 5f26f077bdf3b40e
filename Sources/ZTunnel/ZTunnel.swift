import Linux
import MeshModel

/// The tunnel engine: the one process that touches application bytes and holds private keys.
///
/// In: pods, the model and certificates from the node agent; connections from the kernel.
/// Out: the same bytes over mTLS or plain TCP, and records of what happened.
/// Never here: Foundation, a lock or a task on the byte path, policy decisions (MeshModel), HTTP/2
/// (HBONE), TLS records (TLS), the kernel's redirection (Redirect).
///
///     control thread ── commands ──► worker 0 … N-1
///                    ◄── reports ──
enum ZTunnel {
  /// Serves until the agent or a signal ends it.
  static func run(_ arguments: Arguments) throws(LinuxError) {
    try CurrentProcess.ignoreBrokenPipe()
    // Before any other thread, so that all of them block the signals.
    let signals = try SignalDescriptor([.terminate, .interrupt])
    _ = try CurrentProcess.raiseDescriptorLimit()
    CurrentProcess.mapAllocations(from: ZTunnelLimit.mappedBytes)
    let reports = try Mailbox<WorkerReport>(capacity: ZTunnelLimit.reports)
    let count = arguments.threads ?? max(CurrentProcess.processorCount, 2)
    var peers: [WorkerPeer] = []
    for _ in 0..<count { peers.append(WorkerPeer(try Mailbox<WorkerCommand>())) }
    let workers = peers
    for number in 0..<count {
      _ = try WorkerThread(name: "worker \(number)") {
        ZTunnel.serve(number, workers, reports)
      }
    }
    let control = try Control(
      agentPath: arguments.agentPath, signals: signals, reports: reports,
      peers: workers)
    try control.run()
  }

  private static func serve(
    _ number: Int, _ peers: [WorkerPeer], _ reports: Mailbox<WorkerReport>
  ) {
    do throws(LinuxError) {
      let worker = try Worker(number: number, peers: peers, control: reports)
      try worker.run()
    } catch {
      // Its connections are lost with it: a fresh process serves better than half of one.
      CurrentProcess.writeError("ztunnel: worker \(number): \(error)")
      CurrentProcess.exit(code: 70)
    }
  }
}
