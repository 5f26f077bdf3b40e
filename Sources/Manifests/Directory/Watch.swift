import Linux
public import MeshModel

extension ManifestDirectory {
  /// The watch's times.
  public enum Timing {
    /// How often the kernel is asked whether something changed while a change goes on.
    public static let tick = Duration.milliseconds(25)
    /// How long nothing may happen before a change counts as complete.
    public static let quiet = Duration.milliseconds(50)
    /// How long a change may go on before it is taken up unfinished.
    public static let longest = Duration.milliseconds(500)
    /// How often the directory is read where the kernel does not report changes.
    public static let poll = Duration.milliseconds(200)
    /// How often it is read all the same, for what the kernel cannot report: a swapped link above
    /// the directory, a file system of the network.
    public static let recheck = Duration.milliseconds(1_000)
    /// Reading takes at most one part in this many of the time.
    public static let readingShare = 20
  }

  /// Calls `body` with what is there, then with every settled change, until the task is cancelled.
  ///
  /// Files that change together arrive together, in one call; what changes none of the bytes is no
  /// change. While `body` runs, changes add up to the next call.
  public func watch(_ body: (ManifestUpdate) async -> Void) async throws(CancellationError) {
    try await watch { update, _ in await body(update) }
  }

  /// The same, and tells when the change had settled and its reading began.
  public func watch(
    _ body: (ManifestUpdate, Instant) async -> Void
  ) async throws(CancellationError) {
    var watcher = Watcher(directory: self)
    var rings = watcher.bell?.rings.makeAsyncIterator()
    var files = KnownFiles()
    let begin = MonotonicClock.now()
    var known = await readContents()
    var last = known
    await body(parse(known, &files), begin)
    while true {
      // A change that goes on is asked about until it ends; so is everything when nothing rings.
      var isRung = false
      if watcher.isResting { isRung = await rings?.next(isolation: #isolation) != nil }
      if !isRung {
        do { try await Task.sleep(for: Timing.tick) } catch { throw CancellationError() }
      }
      guard let occasion = watcher.occasion(at: MonotonicClock.now()) else { continue }
      let start = MonotonicClock.now()
      let contents = await readContents()
      let isSame = contents == last
      // What did not change is kept once.
      last = contents == known ? known : contents
      watcher.hasRead(for: MonotonicClock.now().since(start), at: MonotonicClock.now())
      switch occasion {
      case .recheck:
        if last != known { watcher.foundChange(at: MonotonicClock.now()) }
      case .settled:
        guard watcher.confirms(isSame: isSame, at: MonotonicClock.now()), last != known else {
          continue
        }
        known = last
        await body(parse(known, &files), start)
      }
    }
  }

  // Both may take long; they leave the caller's actor free.

  @concurrent private func readContents() async -> ManifestContents {
    contents()
  }

  @concurrent private func parse(
    _ contents: ManifestContents, _ files: inout KnownFiles
  ) async -> ManifestUpdate {
    files.update(with: contents, limits)
  }
}

/// Knows when to read the directory.
private struct Watcher: ~Copyable {
  let bell = Watcher.makeBell()
  enum Occasion {
    case settled
    case recheck
  }

  private let path: String
  /// Nil while the directory is away, or cannot be watched: then it is polled.
  private var tree: TreeWatch?
  private var settling = Settling(
    quiet: ManifestDirectory.Timing.quiet, longest: ManifestDirectory.Timing.longest)
  private var nextReading = MonotonicClock.now()

  init(directory: ManifestDirectory) {
    path = directory.path
    tree = nil
    openTree()
  }

  private static func makeBell() -> Bell? {
    do throws(LinuxError) {
      return try Bell(interval: ManifestDirectory.Timing.poll)
    } catch {
      // No descriptors or threads are left: asking every tick needs neither.
      return nil
    }
  }

  var isResting: Bool { settling.isResting }

  /// Why to read the directory now; nil: leave it.
  mutating func occasion(at now: Instant) -> Occasion? {
    if settling.observe(hasChanged: hasChanged(), at: now) { return .settled }
    return now >= nextReading ? .recheck : nil
  }

  mutating func hasRead(for duration: Duration, at now: Instant) {
    if tree == nil { openTree() }
    let interval =
      tree == nil ? ManifestDirectory.Timing.poll : ManifestDirectory.Timing.recheck
    nextReading = now + max(interval, duration * ManifestDirectory.Timing.readingShare)
  }

  /// Takes note of a change that the kernel did not report.
  mutating func foundChange(at now: Instant) {
    openTree()
    _ = settling.observe(hasChanged: true, at: now)
  }

  /// Whether what was read is a whole; `isSame`: it equals what was read before it.
  mutating func confirms(isSame: Bool, at now: Instant) -> Bool {
    let hasChanged = hasChanged() || (tree == nil && !isSame)
    return settling.confirm(hasChanged: hasChanged, at: now)
  }

  private mutating func hasChanged() -> Bool {
    guard tree != nil else { return false }
    do throws(LinuxError) {
      return try tree?.drain() ?? false
    } catch {
      // The directory went away or grew too large to watch; from here on it is polled.
      tree = nil
      return true
    }
  }

  private mutating func openTree() {
    do throws(LinuxError) {
      let fresh = try TreeWatch(root: path)
      try bell?.watch(fresh)
      tree = consume fresh
    } catch {
      tree = nil
    }
  }
}
