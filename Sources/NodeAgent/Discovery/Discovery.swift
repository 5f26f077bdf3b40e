import ControlAPI
import IstioAPI
import Linux
import Logging
import MeshModel
import Telemetry
import XDS

/// The owner of the stream to the control plane, and of the last good state it told.
///
/// `DiscoveryClient` decides what a message means; this carries it to the model, answers, keeps it on
/// disk, and comes again when a stream ends. Whatever the control plane does or sends, what was good
/// last stays in force.
actor Discovery {
  private let settings: ControlPlaneSettings
  private let store: DiscoveryStore
  private let model: ModelKeeper
  private let becameReady: @Sendable () -> Void
  private let logger = Logger(label: "discovery")
  private var client: DiscoveryClient
  private var state = DiscoveryState(at: WallClock.now())
  private var backoff = ReconnectBackoff()
  /// What the next stream tells of what is known here.
  private var claim = DiscoveryClient.Claim.known
  /// How much the stream of now, or the last, told of that.
  private var claimedBytes = 0
  /// Types that were answered on the stream of now, and since when that is all of them.
  private var answered: Set<ResourceType> = []
  private var inStepSince: Instant?
  /// Types of which parts have come but not the last one; nothing of them is in force.
  private var partial: Set<ResourceType> = []
  /// Whether what is known was ever all there is.
  private var isWhole = false
  private var isBehindOnDisk = false
  private var isSaving = false
  /// Counts the states that were given to the disk.
  private var states: UInt64 = 0

  /// - becameReady: called when there is a mesh to enforce for the first time.
  init(
    _ settings: ControlPlaneSettings, _ run: RunSettings, model: ModelKeeper,
    becameReady: @escaping @Sendable () -> Void
  ) {
    self.settings = settings
    self.model = model
    self.becameReady = becameReady
    store = DiscoveryStore(
      path: run.discoveryFile, contactPath: run.contactFile, address: "\(settings.channel.address)")
    client = DiscoveryClient(node: settings.node(of: run))
  }

  // MARK: The loop

  /// Follows the control plane until cancelled.
  func run() async {
    await restore()
    async let _: Void = enforceUnconfirmed()
    while !Task.isCancelled {
      state.connecting(at: WallClock.now())
      (inStepSince, answered) = (nil, [])
      let ending = await follow()
      if Task.isCancelled { break }
      let delay = backoff.delay(
        afterInStepFor: inStepSince.map { MonotonicClock.now().since($0) },
        jitter: Double(Random.uint64() >> 11) / Double(1 << 53))
      note(ending, delay)
      saveContact()
      do {
        try await Task.sleep(for: delay)
      } catch {
        break
      }
    }
  }

  private func follow() async -> DiscoveryEnding {
    do throws(ControlError) {
      return try await DiscoveryStream.open(settings.channel) {
        stream throws(ControlError) -> DiscoveryEnding in
        try await self.converse(stream)
      }
    } catch {
      return .failed(error)
    }
  }

  private func converse(_ stream: DiscoveryStream) async throws(ControlError) -> DiscoveryEnding {
    let requests = client.connect(claiming: claim)
    claimedBytes = requests.reduce(0) { $0 + $1.claimedBytes }
    for request in requests { try await send(request, on: stream) }
    let deadline = MonotonicClock.now() + Limit.discoveryFirstAnswers
    var owed = Duration.zero
    while true {
      let asked = MonotonicClock.now()
      switch try await next(on: stream, before: deadline) {
      case .response(let response):
        let begun = MonotonicClock.now()
        try await take(response, on: stream, receivedAt: begun)
        owed = max(owed - begun.since(asked), .zero) + MonotonicClock.now().since(begun)
        try await rest(&owed)
      case .end: return .finished
      case .silence:
        guard inStepSince != nil else {
          return .unanswered(Set(ResourceType.allCases).subtracting(answered))
        }
        await dropUnconfirmed()
      }
    }
  }

  private enum Arrival {
    case response(DeltaDiscoveryResponse)
    case end
    case silence
  }

  private func next(
    on stream: DiscoveryStream, before deadline: Instant
  ) async throws(ControlError) -> Arrival {
    let wait = ResponseWait(
      at: MonotonicClock.now(), inStepSince: inStepSince, firstAnswersBy: deadline,
      hasUnconfirmed: client.unconfirmedCount > 0)
    switch wait {
    case .forever: return try await stream.next().map(Arrival.response) ?? .end
    case .atMost(.zero): return .silence
    case .atMost(let limit):
      return try await within(limit) { () async throws(ControlError) in
        try await stream.next().map(Arrival.response) ?? .end
      } ?? .silence
    }
  }

  /// What could not be claimed for the size of the request, and was not told again, is gone.
  private func dropUnconfirmed() async {
    let update = client.dropUnconfirmed()
    await putIntoForce(update, of: nil, receivedAt: MonotonicClock.now())
    saveSoon()
  }

  private func send(
    _ request: DeltaDiscoveryRequest, on stream: DiscoveryStream
  ) async throws(ControlError) {
    let sent: Void? = try await within(Limit.discoverySend) { () async throws(ControlError) in
      try await stream.send(request)
    }
    guard sent != nil else { throw .connectTimedOut(after: Limit.discoverySend) }
  }

  private func take(
    _ response: DeltaDiscoveryResponse, on stream: DiscoveryStream, receivedAt: Instant
  ) async throws(ControlError) {
    state.received(response.typeURL, bytes: response.payloadBytes, at: WallClock.now())
    let outcome = client.receive(response)
    let type = ResourceType(typeURL: response.typeURL)
    if let type, !outcome.isPartial { answered.insert(type) }
    for resource in outcome.rejected.prefix(Limit.rejectedResourcesLogged) {
      logger.warning(
        "resource refused",
        metadata: ["type": "\(resource.type.word)", "reason": "\(resource)"])
    }
    await putIntoForce(outcome, of: type, receivedAt: receivedAt)
    if inStepSince == nil, answered.count == ResourceType.allCases.count {
      claim = .known
      inStepSince = MonotonicClock.now()
      state.inStep()
      _ = await model.confirm()
      logger.info("in step with the control plane", metadata: ["address": "\(address)"])
    }
    saveSoon()
    if let reply = outcome.reply { try await send(reply, on: stream) }
  }

  /// What is told in several parts is put into force with the last one.
  private func putIntoForce(
    _ update: DiscoveryUpdate, of type: ResourceType?, receivedAt: Instant
  ) async {
    if let type, update.isPartial {
      partial.insert(type)
      return
    }
    let isLastPart = type.map { partial.remove($0) != nil } ?? false
    guard await model.hasModel else {
      // Before everything has been asked and answered, half a mesh would be enforced.
      guard client.isComplete else { return }
      isWhole = true
      _ = await model.replace(with: client.model, receivedAt: receivedAt)
      return becameReady()
    }
    let generation =
      isLastPart
      ? await model.replace(with: client.model, receivedAt: receivedAt)
      : await model.apply(update.change, receivedAt: receivedAt)
    if let generation {
      logger.debug("new generation", metadata: ["generation": "\(generation)"])
    }
  }

  /// Rests as long as was worked without a pause: endless pushes get half of a processor at most.
  private func rest(_ owed: inout Duration) async throws(ControlError) {
    guard inStepSince != nil, owed >= Limit.discoveryRestLeast else { return }
    do {
      try await Task.sleep(for: min(owed, Limit.discoveryRestMost))
    } catch {
      throw .cancelled
    }
    owed = .zero
  }

  private func note(_ ending: DiscoveryEnding, _ delay: Duration) {
    let now = WallClock.now()
    let termination = ending.termination(hasAnswered: !answered.isEmpty)
    if ending.blames(claimOf: claimedBytes, hasAnswered: !answered.isEmpty) { claim = .nothing }
    state.ended(
      termination, reason: ending.description, at: now,
      retryAt: WallTime(secondsSinceEpoch: now.secondsSinceEpoch + delay.seconds))
    logger.warning(
      "the stream of the control plane ended",
      metadata: [
        "address": "\(address)", "reason": "\(ending)", "next_try_after": "\(delay.brief)",
      ])
  }

  private var address: String { "\(settings.channel.address)" }
}

// MARK: On disk

extension Discovery {
  /// While the control plane is away, what was on disk counts in the end.
  private func enforceUnconfirmed() async {
    do {
      try await Task.sleep(for: Limit.unconfirmedHold)
    } catch {
      return
    }
    if await model.confirm() {
      logger.warning(
        "the control plane has not confirmed the mesh: what was on disk is enforced",
        metadata: ["address": "\(address)", "after": "\(Limit.unconfirmedHold.brief)"])
    }
  }

  /// Serves what an earlier node agent knew last.
  private func restore() async {
    do throws(DiscoveryStoreError) {
      guard let kept = try await store.read(for: client.node) else { return }
      client = kept.client
      let contact = kept.lastContact ?? state.since
      state.restored(lastContact: contact)
      if kept.isOfOther { claim = .nothing }
      isWhole = true
      await model.restore(client.model, receivedAt: MonotonicClock.now())
      becameReady()
      logger.info(
        "serving the last good state of the control plane",
        metadata: [
          "workloads": "\(client.model.workloads.count)",
          "services": "\(client.model.services.count)",
          "policies": "\(client.model.policies.count)",
          "last_contact": "\(contact.timestamp)",
        ])
    } catch {
      state.failed("the state of before is not used: \(error)")
      logger.error("the state of before is not used", metadata: ["reason": "\(error)"])
    }
  }

  private func saveSoon() {
    isBehindOnDisk = true
    guard !isSaving else { return }
    isSaving = true
    Task {
      do {
        try await Task.sleep(for: Limit.discoverySaveDelay)
      } catch {
        // Cancelled: save at once.
      }
      isSaving = false
      await save()
    }
  }

  /// Writes what is known to disk, unless it is there.
  func save() async {
    // Half of a first answer is no state to come back to.
    guard isBehindOnDisk, isWhole, partial.isEmpty else { return }
    isBehindOnDisk = false
    states += 1
    do throws(DiscoveryStoreError) {
      try await store.write(client, number: states)
    } catch {
      isBehindOnDisk = true
      state.failed("the state is not kept on disk: \(error)")
      logger.error("the state is not kept on disk", metadata: ["reason": "\(error)"])
    }
  }

  /// Writes down when the control plane was heard last.
  func saveContact() {
    guard let contact = state.lastContact else { return }
    do throws(DiscoveryStoreError) {
      try store.write(contact: state.staleSince == nil ? WallClock.now() : contact)
    } catch {
      logger.error("the last contact is not kept on disk", metadata: ["reason": "\(error)"])
    }
  }
}

// MARK: What is told

extension Discovery {
  var status: ControlPlaneStatus {
    var nextTry: String?
    if case .waiting(let until) = state.connection { nextTry = until.timestamp }
    let rejected = client.rejectedResources
    return ControlPlaneStatus(
      address: address, connection: state.connection.name, since: state.since.timestamp,
      nextTryAt: nextTry, lastContactAt: state.lastContact?.timestamp,
      isStale: state.staleSince != nil, staleSince: state.staleSince?.timestamp,
      isRestored: state.isRestored, lastError: state.lastError,
      messages: state.traffic.values.reduce(0) { $0 + $1.messages },
      rejectedCount: rejected.count,
      rejected: rejected.prefix(Limit.rejectedResourcesShown).map(RejectedResourceStatus.init))
  }

  var metrics: DiscoveryMetrics {
    DiscoveryMetrics(
      isConnected: state.connection == .connected, isStale: state.staleSince != nil,
      lastContact: state.lastContact?.secondsSinceEpoch, rejected: client.rejectedResources.count,
      terminations: state.terminations, traffic: state.traffic)
  }
}

extension DiscoveryState.Connection {
  var name: String {
    switch self {
    case .connecting: "connecting"
    case .connected: "connected"
    case .waiting: "waiting"
    }
  }
}

extension RejectedResourceStatus {
  fileprivate init(_ resource: RejectedResource) {
    self.init(type: resource.type.word, name: resource.name, reason: "\(resource.reason)")
  }
}
