/// A directory of YAML and JSON files in, trees of values out.
///
/// In: a directory (read, or watched until it settles) or the bytes of one file. Out: objects for
/// `MeshCompiler` and what is wrong with the text. Never here: what an object means.
public import MeshCompiler

/// All manifests of a directory at one moment.
public struct ManifestSnapshot: Hashable, Sendable {
  public var objects: [ManifestObject]
  /// What is wrong with the text itself, before any object is looked at.
  public var diagnostics: [Diagnostic]
  /// The files read, relative to the directory, in order.
  public var files: [String]

  public init(
    objects: [ManifestObject] = [], diagnostics: [Diagnostic] = [], files: [String] = []
  ) {
    self.objects = objects
    self.diagnostics = diagnostics
    self.files = files
  }

  /// The snapshot's meaning; its `hasErrors` covers the text and the objects.
  public func compiled(options: CompilerOptions = CompilerOptions()) -> Compilation {
    var compilation = compile(objects: objects, options: options)
    compilation.diagnostics = diagnostics + compilation.diagnostics
    return compilation
  }
}

/// What is in a directory of manifests now, told by what is other than before.
public struct ManifestUpdate: Hashable, Sendable {
  /// The objects of each file that is new or holds something else, by its path.
  public var changed: [String: [ManifestObject]]
  /// The files that are gone, in order.
  public var removed: [String]
  /// What is wrong with the text of all files there are, in the order of the files.
  public var diagnostics: [Diagnostic]
  /// All files there are, relative to the directory, in order.
  public var files: [String]

  public init(
    changed: [String: [ManifestObject]] = [:], removed: [String] = [],
    diagnostics: [Diagnostic] = [], files: [String] = []
  ) {
    self.changed = changed
    self.removed = removed
    self.diagnostics = diagnostics
    self.files = files
  }
}

extension Compiler {
  /// What all manifests mean after an update; its `hasErrors` covers the text and the objects.
  public mutating func compiled(after update: ManifestUpdate) -> Compilation {
    for file in update.removed { remove(source: file) }
    for (file, objects) in update.changed { self.update(source: file, objects: objects) }
    var compilation = compiled()
    compilation.diagnostics = update.diagnostics + compilation.diagnostics
    return compilation
  }
}
