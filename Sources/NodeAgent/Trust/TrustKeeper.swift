import AgentProtocol
import Linux
import Logging
import MeshModel

/// The owner of revocations and of other trust domains' roots: reads their files, tells ztunnel.
///
/// The last good state is kept in a file too, so that a node agent that starts beside a broken file
/// goes on with it.
actor TrustKeeper {
  private let settings: TrustSettings
  private let send: @Sendable (AgentMessage) -> Void
  private let file: String
  private let logger = Logger(label: "trust")
  private(set) var state: TrustState
  /// What was last sent; its number counts up.
  private var current: TrustUpdate
  private var contents: [String: TrustState.Reading] = [:]
  /// The number ztunnel has in force.
  private var enforced: UInt64 = 0
  /// Why ztunnel did not take the last update; nil while it has.
  private(set) var rejection: String?
  private var saved: TrustUpdate?
  /// The last good one, as far as today's settings still ask for it.
  private var fallback: TrustUpdate?

  /// Reads everything once, so that there is an answer before anybody asks.
  ///
  /// - file: where the last good state outlives this process.
  init(
    _ settings: TrustSettings, file: String, authorities: [[UInt8]],
    send: @escaping @Sendable (AgentMessage) -> Void
  ) {
    self.settings = settings
    self.file = file
    self.send = send
    let (lastGood, problem) = TrustKeeper.lastGood(in: file)
    if let problem {
      logger.warning("trust of before not read", metadata: ["reason": "\(problem)"])
    }
    var state = TrustState(settings, lastGood: lastGood)
    contents = TrustKeeper.readings(of: settings)
    state.read(contents, authorities: authorities, at: WallClock.now())
    self.state = state
    current = state.update(number: 1)
    saved = lastGood
    fallback = lastGood.map { TrustState(settings, lastGood: $0).update(number: 0) }
  }

  private static func lastGood(in file: String) -> (TrustUpdate?, problem: String?) {
    guard File.exists(file) else { return (nil, nil) }
    do {
      // A span of a temporary crashes the compiler (6.3.1).
      let bytes = try File.read(file)
      let message = try AgentMessage(decoding: bytes.span)
      guard case .trust(let update) = message else { return (nil, "it is another message") }
      return (update, nil)
    } catch {
      return (nil, "\(error)")
    }
  }

  // MARK: ztunnel

  /// A ztunnel connected: it hears this before it gets a certificate.
  ///
  /// What the one before did not take, this one will not take either: it gets the last good one.
  func tunnelConnected() {
    send(.trust(rejection == nil ? current : fallback ?? current))
  }

  func tunnelLost() { enforced = 0 }

  func applied(_ number: UInt64) {
    guard number == current.number else { return }
    enforced = number
    rejection = nil
    save()
  }

  func rejected(_ number: UInt64, reason: String) {
    guard number == current.number else { return }
    rejection = reason
    logger.error("ztunnel refused the trust", metadata: ["reason": "\(reason)"])
  }

  // MARK: Files

  /// Reads files that changed until the task is cancelled.
  ///
  /// - authorities: certificates of the authorities known now, to check signatures with.
  func watch(authorities: @Sendable () async -> [[UInt8]]) async {
    save()
    for problem in problems { logger.error("not taken over", metadata: ["reason": "\(problem)"]) }
    guard !settings.isEmpty else { return }
    var watch = FileWatch(settings.files)
    while !Task.isCancelled {
      do {
        try await Task.sleep(for: FileWatch.tick)
      } catch {
        return
      }
      guard watch.isTimeToRead(at: MonotonicClock.now()) else { continue }
      let found = TrustKeeper.readings(of: settings)
      if found != contents { reload(found, authorities: await authorities()) }
    }
  }

  private func reload(_ found: [String: TrustState.Reading], authorities: [[UInt8]]) {
    contents = found
    let before = state
    state.read(found, authorities: authorities, at: WallClock.now())
    for problem in problems where !problemsOf(before).contains(problem) {
      logger.error("not taken over", metadata: ["reason": "\(problem)"])
    }
    let next = state.update(number: current.number + 1)
    var same = next
    same.number = current.number
    guard same != current else { return }
    current = next
    logger.info(
      "trust changed",
      metadata: [
        "revocations": "\(state.revocations?.entries ?? 0)", "bundles": "\(state.bundles.count)",
      ])
    send(.trust(next))
  }

  private nonisolated static func readings(of settings: TrustSettings) -> [String:
    TrustState.Reading]
  {
    var found: [String: TrustState.Reading] = [:]
    for path in settings.files {
      do throws(LinuxError) {
        found[path] = .bytes(try File.read(path, atMost: FileWatch.fileBytes))
      } catch {
        found[path] = error.isNotFound ? .missing : .unreadable(reason: "\(error)")
      }
    }
    return found
  }

  /// Keeps what ztunnel took; what is unknown is not worth keeping.
  private func save() {
    guard settings.isEmpty || enforced == current.number else { return }
    var kept = current
    kept.number = 0
    if case .unknown = kept.revocations { return }
    guard kept != saved else { return }
    do throws(LinuxError) {
      if settings.isEmpty {
        try File.remove(file)
      } else {
        try File.replace(file, with: AgentMessage.trust(kept).encoded())
      }
      (saved, fallback) = (kept, kept)
    } catch {
      logger.error("trust not kept", metadata: ["reason": "\(error)"])
    }
  }

  // MARK: Status

  var isEnforced: Bool { rejection == nil && enforced >= current.number }

  /// The wall clock's time, for what depends on it in a report.
  nonisolated var now: WallTime { WallClock.now() }

  /// What is wrong now, each in one sentence.
  var problems: [String] {
    problemsOf(state) + (rejection.map { ["ztunnel refused the trust: \($0)"] } ?? [])
  }

  private func problemsOf(_ state: TrustState) -> [String] {
    var problems: [String] = []
    if let file = settings.revocationFile, let error = state.revocationError {
      let rest =
        state.revocations == nil
        ? "no connection between nodes is let in" : "the last good list stays in force"
      problems.append("revocations: \(file): \(error); \(rest)")
    }
    for (trustDomain, error) in state.bundleErrors.sorted(by: { $0.key < $1.key }) {
      problems.append(
        "bundle of \(trustDomain): \(settings.bundles[trustDomain] ?? ""): \(error)")
    }
    return problems
  }
}

extension TrustState {
  /// Takes over every file that was read.
  mutating func read(
    _ contents: [String: Reading], authorities: [[UInt8]], at now: WallTime
  ) {
    // Bundles first: a list may be of an authority that came with one.
    for (trustDomain, path) in settings.bundles.sorted(by: { $0.key < $1.key }) {
      if let reading = contents[path] { readBundle(of: trustDomain, reading, at: now) }
    }
    let all = authorities + bundles.values.flatMap(\.roots)
    if let path = settings.revocationFile, let reading = contents[path] {
      readRevocations(reading, authorities: all, at: now)
    }
  }
}
