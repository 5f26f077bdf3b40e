import Glibc
import Linux
import Manifests
import MeshCompiler
import Testing

/// A fresh directory under /tmp, removed with the value.
final class Scratch: Sendable {
  let path: String

  init() throws {
    path = "/tmp/skein-manifests-\(Random.uint64())"
    try Directory.make(path)
  }

  deinit {
    do {
      try Scratch.removeAll(path)
    } catch {
      Issue.record("\(path) stays: \(error)")
    }
  }

  func write(_ name: String, _ text: String) throws {
    try write(name, Array(text.utf8))
  }

  func write(_ name: String, _ bytes: [UInt8]) throws {
    if let slash = name.lastIndex(of: "/") { try Directory.makeAll("\(path)/\(name[..<slash])") }
    try File.replace("\(path)/\(name)", with: bytes)
  }

  /// All manifests in it now.
  func read(limits: ManifestLimits = ManifestLimits()) -> ManifestSnapshot {
    ManifestDirectory(path: path, limits: limits).read()
  }

  /// Removes a file, a link (not what it leads to), or a directory with all in it.
  static func removeAll(_ path: String) throws {
    if unsafe unlink(path) == 0 { return }
    for name in try Directory.entries(path) { try removeAll("\(path)/\(name)") }
    try Directory.remove(path)
  }
}

/// A manifest that only has a name.
func account(_ name: String) -> String {
  "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: \(name)}\n"
}

extension ManifestSnapshot {
  /// The names of all objects, in order.
  var names: [String] {
    objects.map { object in
      guard case .string(let name)? = object.root["metadata"]?["name"]?.content else { return "?" }
      return name
    }
  }

  var findings: [String] { diagnostics.map(\.description) }
}

/// Puts a link at `path`, in place of what is there, in one step.
func link(_ target: String, at path: String) throws {
  let beside = "\(path).new"
  #expect(unsafe symlink(target, beside) == 0)
  #expect(unsafe rename(beside, path) == 0)
}
