import Linux
import MeshCompiler

/// A directory tree of manifests.
///
/// Read are files ending in `.yaml`, `.yml` and `.json`, in the order of their paths; hidden ones and
/// what editors leave behind are not. Links are followed, as a mounted ConfigMap needs it.
public struct ManifestDirectory: Hashable, Sendable {
  public var path: String
  public var limits: ManifestLimits

  public init(path: String, limits: ManifestLimits = ManifestLimits()) {
    self.path = path
    self.limits = limits
  }

  /// All manifests as they are now; what cannot be read is an error in the snapshot.
  public func read() -> ManifestSnapshot {
    snapshot(of: contents())
  }

  private func snapshot(of contents: ManifestContents) -> ManifestSnapshot {
    var snapshot = ManifestSnapshot(diagnostics: contents.problems)
    for file in contents.files {
      let text = ManifestText(file.bytes, file: file.path, limits: limits)
      snapshot.files.append(file.path)
      snapshot.objects += text.objects
      snapshot.diagnostics += text.diagnostics
    }
    return snapshot
  }
}

/// The bytes of a directory's manifests, not looked into yet.
struct ManifestContents: Hashable, Sendable {
  struct File: Hashable, Sendable {
    /// Relative to the directory.
    var path: String
    var bytes: [UInt8]
  }

  var files: [File] = []
  var problems: [Diagnostic] = []
}

/// The files as they were read last, so that one that did not change is not parsed again.
struct KnownFiles: Sendable {
  private struct Entry {
    var bytes: [UInt8]
    /// What is wrong with its text.
    var diagnostics: [Diagnostic]
  }

  private var entries: [String: Entry] = [:]

  /// Takes what is there now for known, and says what is other than before.
  mutating func update(
    with contents: ManifestContents, _ limits: ManifestLimits
  ) -> ManifestUpdate {
    var update = ManifestUpdate(
      diagnostics: contents.problems, files: contents.files.map(\.path))
    let before = entries
    entries = [:]
    for file in contents.files {
      var entry = before[file.path]
      if entry?.bytes != file.bytes {
        let text = ManifestText(file.bytes, file: file.path, limits: limits)
        update.changed[file.path] = text.objects
        entry = Entry(bytes: file.bytes, diagnostics: text.diagnostics)
      }
      entries[file.path] = entry
      update.diagnostics += entry?.diagnostics ?? []
    }
    update.removed = before.keys.filter { entries[$0] == nil }.sorted()
    return update
  }
}

extension ManifestDirectory {
  /// Reads every file; stops at the first limit, which is then a problem of the whole.
  func contents() -> ManifestContents {
    var walk = Walk(limits: limits)
    walk.directory("", at: path, depth: 0)
    walk.contents.files.sort { $0.path < $1.path }
    return walk.contents
  }

  private struct Walk {
    let limits: ManifestLimits
    var contents = ManifestContents()
    private var directories = 0
    private var bytes = 0
    private var isOver = false

    init(limits: ManifestLimits) {
      self.limits = limits
    }

    mutating func directory(_ relative: String, at path: String, depth: Int) {
      directories += 1
      guard directories <= limits.directories, depth <= limits.directoryDepth else {
        stop(
          relative,
          "expected at most \(limits.directories) directories, \(limits.directoryDepth) "
            + "inside one another; is a link leading back?")
        return
      }
      do throws(LinuxError) {
        for name in try Directory.entries(path) where !isOver && isManifestName(name) {
          let below = relative.isEmpty ? name : "\(relative)/\(name)"
          if Directory.exists("\(path)/\(name)") {
            directory(below, at: "\(path)/\(name)", depth: depth + 1)
          } else if hasManifestSuffix(name) {
            file(below, at: "\(path)/\(name)")
          }
        }
      } catch {
        problem(.unreadable, relative, "\(error)")
      }
    }

    private mutating func file(_ relative: String, at path: String) {
      guard contents.files.count < limits.files else {
        stop(relative, "expected at most \(limits.files) files")
        return
      }
      do throws(LinuxError) {
        let read = try File.read(path, atMost: limits.fileBytes)
        bytes += read.count
        guard bytes <= limits.totalBytes else {
          stop(relative, "expected at most \(limits.totalBytes) bytes in all files together")
          return
        }
        contents.files.append(.init(path: relative, bytes: read))
      } catch {
        problem(.unreadable, relative, "\(error)")
      }
    }

    private mutating func stop(_ relative: String, _ message: String) {
      isOver = true
      problem(.tooLarge, relative, message)
    }

    private mutating func problem(
      _ code: Diagnostic.Code, _ relative: String, _ message: String
    ) {
      contents.problems.append(Diagnostic(.error, code, file: relative, message: message))
    }
  }
}

/// False for hidden files and what editors leave behind.
func isManifestName(_ name: String) -> Bool {
  !name.hasPrefix(".") && !name.hasPrefix("#") && !name.hasPrefix("~") && !name.hasSuffix("~")
}

func hasManifestSuffix(_ name: String) -> Bool {
  [".yaml", ".yml", ".json"].contains { name.hasSuffix($0) && name.utf8.count > $0.utf8.count }
}
