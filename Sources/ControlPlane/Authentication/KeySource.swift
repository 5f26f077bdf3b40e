import Linux
import MeshModel

/// Where an issuer's keys come from, and the last good ones.
///
/// What cannot be read leaves the keys of before in force. An issuer is asked beside all else: who
/// comes with a token of a known key never waits for it.
actor KeySource {
  enum Place: Hashable, Sendable {
    case file(String)
    case issuer(KeyFetch)
  }

  struct Timing: Hashable, Sendable {
    /// How often a file is looked at, and how soon again for a key that is not known.
    var fileInterval = Duration.seconds(2)
    var fileRetry = Duration.milliseconds(100)
    /// How often the issuer is asked.
    var issuerInterval = Duration.seconds(300)
    /// How soon it is asked again for a key that is not known, or after a failure.
    var issuerRetry = Duration.seconds(10)
    /// How long asking it may take.
    var fetch = Duration.seconds(10)
    /// How long a caller waits for an answer that may bring its key.
    var patience = Duration.seconds(3)
  }

  enum Limit {
    /// Callers that wait at the same time; more are told at once that the key is not known.
    static let waiting = 1_000
  }

  private let place: Place
  private let timing: Timing
  private var keys: KeySet?
  private var text: [UInt8] = []
  /// When the last reading ended.
  private var readAt: Instant?
  /// Why the last reading came to nothing; nil when it was good.
  private(set) var problem: String?
  private(set) var changes: UInt64 = 0
  /// At most one question is on its way to the issuer.
  private var isAsking = false
  private var waiting: [UInt64: CheckedContinuation<Void, Never>] = [:]
  private var nextWaiting: UInt64 = 0

  init(_ place: Place, timing: Timing = Timing()) {
    self.place = place
    self.timing = timing
  }

  var count: Int { keys?.count ?? 0 }

  /// Begins to read the keys again when they are old.
  func refresh(at now: Instant) {
    let interval =
      switch place {
      case .file: timing.fileInterval
      case .issuer: keys == nil || problem != nil ? timing.issuerRetry : timing.issuerInterval
      }
    if isDue(at: now, after: interval) { read(at: now) }
  }

  /// The keys there are; waits only while there have never been any.
  func current(at now: Instant) async throws(AuthenticationFailure) -> KeySet {
    refresh(at: now)
    if keys == nil { await answer() }
    guard let keys else { throw .noKeys(reason: problem ?? "not read yet") }
    return keys
  }

  /// The keys for a token whose key is none of them: read again, unless that was a moment ago.
  func renewed(at now: Instant) async -> KeySet? {
    let interval =
      switch place {
      case .file: timing.fileRetry
      case .issuer: timing.issuerRetry
      }
    if isDue(at: now, after: interval) { read(at: now) }
    await answer()
    return keys
  }

  private func isDue(at now: Instant, after interval: Duration) -> Bool {
    readAt.map { now.since($0) >= interval } ?? true
  }

  private func read(at now: Instant) {
    switch place {
    case .file(let path): take(Self.bytes(in: path), at: now)
    case .issuer(let fetch):
      guard !isAsking else { return }
      isAsking = true
      Task { await ask(fetch) }
    }
  }

  private func ask(_ fetch: KeyFetch) async {
    let outcome: Result<[UInt8], KeySourceError>
    do throws(KeySourceError) {
      outcome = .success(try await fetch.keys(within: timing.fetch))
    } catch {
      outcome = .failure(error)
    }
    isAsking = false
    take(outcome, at: MonotonicClock.now())
    let woken = waiting.values
    waiting = [:]
    for caller in woken { caller.resume() }
  }

  private func take(_ outcome: Result<[UInt8], KeySourceError>, at now: Instant) {
    readAt = now
    do throws(KeySourceError) {
      let found = try outcome.get()
      if found != text || keys == nil {
        guard let set = KeySet(json: found) else { throw .notKeys }
        (keys, text) = (set, found)
        changes += 1
      }
      problem = nil
    } catch {
      problem = "\(error)"
    }
  }

  private static func bytes(in path: String) -> Result<[UInt8], KeySourceError> {
    do throws(LinuxError) {
      return .success(try File.read(path, atMost: KeySet.Limit.bytes))
    } catch {
      return .failure(.unreadable(path: path, reason: "\(error)"))
    }
  }

  /// Waits for what the issuer is being asked, no longer than our patience.
  private func answer() async {
    guard isAsking, waiting.count < Limit.waiting else { return }
    nextWaiting += 1
    let number = nextWaiting
    let patience = Task {
      do {
        try await Task.sleep(for: timing.patience)
      } catch {
        return
      }
      giveUp(number)
    }
    await withCheckedContinuation { waiting[number] = $0 }
    patience.cancel()
  }

  private func giveUp(_ number: UInt64) { waiting.removeValue(forKey: number)?.resume() }
}

enum KeySourceError: Error, Hashable, Sendable {
  case unreadable(path: String, reason: String)
  case notHTTPS(String)
  case status(String, UInt)
  case tooManyRedirects(String)
  case tooSlow(Duration)
  case notConfiguration
  case otherIssuer(String)
  case notKeys
}

extension KeySourceError: CustomStringConvertible {
  var description: String {
    switch self {
    case .unreadable(let path, let reason): "\(path): cannot be read: \(reason)"
    case .notHTTPS(let url): "\(url): expected an https URL"
    case .status(let url, let code): "\(url): answered \(code)"
    case .tooManyRedirects(let url): "\(url): more than \(KeyFetch.Limit.redirects) redirects"
    case .tooSlow(let limit): "the issuer took longer than \(limit.components.seconds) s"
    case .notConfiguration: "expected an OpenID configuration with issuer and jwks_uri"
    case .otherIssuer(let issuer): "the configuration is of the issuer \(issuer)"
    case .notKeys:
      "expected a JSON Web Key Set with 1 to \(KeySet.Limit.keys) public keys that are known"
    }
  }
}
