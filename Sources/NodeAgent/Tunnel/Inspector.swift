import AgentProtocol

/// Asks ztunnel about itself and waits for the answers, by number.
actor Inspector {
  private let link: ZTunnelLink
  private var nextRequest: UInt64 = 1
  private var waiting: [UInt64: CheckedContinuation<Inspection?, Never>] = [:]
  private var isConnected = false

  init(link: ZTunnelLink) {
    self.link = link
  }

  /// Nil when ztunnel is away or does not answer in time.
  func ask(_ section: InspectionSection) async -> Inspection? {
    guard isConnected else { return nil }
    let request = nextRequest
    nextRequest += 1
    return await withCheckedContinuation { continuation in
      waiting[request] = continuation
      link.send(.inspect(request: request, section: section))
      Task {
        do {
          try await Task.sleep(for: Limit.inspectionWait)
        } catch {
          // Cancelled: the answer is not waited for any longer.
        }
        answer(request, nil)
      }
    }
  }

  func answer(_ request: UInt64, _ inspection: Inspection?) {
    waiting.removeValue(forKey: request)?.resume(returning: inspection)
  }

  func tunnelConnected() { isConnected = true }

  func tunnelLost() {
    isConnected = false
    for request in waiting.keys { answer(request, nil) }
  }
}
