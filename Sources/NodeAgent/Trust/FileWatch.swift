import Linux
import MeshModel

/// Knows when to read a few files again.
///
/// Watches the directories they are in: Kubernetes swaps a link there, editors put a new file in
/// place. What the kernel does not report, as for a file of a network or behind a link, is found by
/// reading all the same every `recheck`.
struct FileWatch: ~Copyable {
  static let tick = Duration.milliseconds(50)
  /// How long nothing may happen before a change counts as complete.
  static let quiet = Duration.milliseconds(100)
  /// How long a change may go on before it is taken up unfinished.
  static let longest = Duration.milliseconds(500)
  static let recheck = Duration.milliseconds(1_000)
  /// More than any file of ours may hold; what is larger is refused where it is parsed.
  static let fileBytes = 8 * 1_024 * 1_024

  private var watch: DirectoryWatch?
  private let directories: [String]
  private var firstChange: Instant?
  private var lastChange: Instant?
  private var nextReading: Instant

  init(_ files: [String]) {
    directories = Set(files.map(FileWatch.directory)).sorted()
    nextReading = MonotonicClock.now() + FileWatch.recheck
    open()
  }

  static func directory(of path: String) -> String {
    guard let slash = path.lastIndex(of: "/") else { return "." }
    return slash == path.startIndex ? "/" : String(path[..<slash])
  }

  mutating func isTimeToRead(at now: Instant) -> Bool {
    if hasChanged() {
      firstChange = firstChange ?? now
      lastChange = now
    }
    if let first = firstChange, let last = lastChange,
      now.since(last) >= FileWatch.quiet || now.since(first) >= FileWatch.longest
    {
      (firstChange, lastChange) = (nil, nil)
      nextReading = now + FileWatch.recheck
      return true
    }
    guard nextReading <= now else { return false }
    nextReading = now + FileWatch.recheck
    // A directory that was away may be back, or be another one.
    open()
    return true
  }

  private mutating func hasChanged() -> Bool {
    do throws(LinuxError) {
      return try watch?.drain() ?? false
    } catch {
      watch = nil
      return true
    }
  }

  private mutating func open() {
    do throws(LinuxError) {
      watch = try DirectoryWatch(directories)
    } catch {
      // One is away: until it is back, all are read every `recheck`.
      watch = nil
    }
  }
}
