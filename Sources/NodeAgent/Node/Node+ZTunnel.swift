import AgentProtocol
import Linux
import Logging
import MeshModel
import Redirect

extension Node {
  /// Handles what ztunnel says, one message after the other, until the link stops.
  func followZTunnel() async {
    // Whose socket it is, as the kernel says; the process may be of another pid namespace.
    var processID: Int32 = 0
    for await event in link.events {
      switch event {
      case .connected(let peer):
        processID = peer
        if let group = await ztunnel.connected(peer) { await enroller.tunnelMoved(to: group) }
        greet()
        await trust.tunnelConnected()
      case .received(let message, let descriptors):
        await handle(message, descriptors, from: processID)
      case .closed(let closed): await records.closed(closed, index: await model.index)
      case .disconnected(let reason):
        logger.warning("ztunnel is not connected", metadata: ["reason": "\(reason)"])
        link.setPeer(processID: nil)
        await ztunnel.disconnected(reason: reason)
        await model.tunnelLost()
        await trust.tunnelLost()
        await inspector.tunnelLost()
        await issuer.tunnelLost()
        await enroller.tunnelLost()
      }
      link.handled()
    }
  }

  private func greet() {
    link.send(
      .configure(
        Configuration(
          nodeName: settings.node, trustDomain: settings.trustDomain, canary4: Canary.ipv4,
          canary6: Canary.ipv6, mark: RedirectConstants.mark,
          reservedPorts: RedirectConstants.reservedPorts, dnsCapture: settings.dnsCapture,
          clusterDomain: settings.clusterDomain)))
  }

  private func handle(
    _ message: TunnelMessage, _ descriptors: [SharedDescriptor], from processID: Int32
  ) async {
    switch message {
    case .hello(let hello): await handle(hello, from: processID)
    case .podListening(let uid): await enroller.podListening(uid, descriptors)
    case .dnsListening(let uid): await enroller.dnsListening(uid, descriptors)
    case .podFailed(let uid, let reason): await enroller.podFailed(uid, reason: reason)
    case .podRemoved(let uid): await enroller.podRemoved(uid)
    case .signingRequest(let request):
      await issuer.request(request, demand: await enroller.demand)
    case .modelApplied(let generation):
      await model.applied(generation, at: MonotonicClock.now())
    case .modelRejected(let generation, let reason):
      logger.error(
        "ztunnel refused the generation",
        metadata: ["generation": "\(generation)", "reason": "\(reason)"])
      await model.rejected(generation, reason: reason)
    case .canaryArrived(let uid, let nonce): await enroller.canaryArrived(uid, nonce: nonce)
    case .connectionsClosed(let closed): await records.closed(closed, index: await model.index)
    case .refused(let refusal): await records.refused(refusal)
    case .inspection(let request, let inspection): await inspector.answer(request, inspection)
    case .trustApplied(let number): await trust.applied(number)
    case .trustRejected(let number, let reason): await trust.rejected(number, reason: reason)
    case .drained(let cut):
      logger.info("ztunnel drained", metadata: ["cut": "\(cut)"])
      drainState.finish()
    }
  }

  private func handle(_ hello: Hello, from processID: Int32) async {
    guard hello.version == ProtocolVersion.current else {
      logger.error(
        "ztunnel speaks another version",
        metadata: ["theirs": "\(hello.version)", "ours": "\(ProtocolVersion.current)"])
      link.disconnect()
      await ztunnel.replace()
      return
    }
    logger.info(
      "ztunnel connected",
      metadata: ["process": "\(processID)", "pods": "\(hello.pods.count)"])
    link.setPeer(processID: processID)
    await ztunnel.helloReceived(from: processID)
    await inspector.tunnelConnected()
    await model.tunnelConnected(holding: hello.generation)
    await issuer.tunnelConnected(holding: hello.identities)
    await enroller.tunnelConnected(hello)
  }
}
