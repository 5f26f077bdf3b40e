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
