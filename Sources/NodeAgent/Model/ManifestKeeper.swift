import Manifests
import MeshCompiler
import MeshModel

/// The owner of what the manifests mean: the last good compilation, and what is wrong with the
/// files on disk.
actor ManifestKeeper {
  /// What a change of the manifests led to.
  enum Outcome {
    /// Good manifests, and what they mean that those before did not.
    case good(ModelChange)
    /// The manifests have errors; the last good ones stay in force.
    case refused([Diagnostic])
  }

  private var compiler: Compiler
  /// Where the pods are; nil before manifests were good for the first time.
  private(set) var placements: [PodPlacement]?
  /// The namespaces whose pods are to be enrolled, with pods here or without.
  private(set) var enrolledNamespaces: Set<String> = []
  private(set) var diagnostics: [Diagnostic] = []
  private(set) var isStale = false

  init(options: CompilerOptions) { compiler = Compiler(options: options) }

  func take(_ update: ManifestUpdate) -> Outcome {
    let compilation = compiler.compiled(after: update)
    diagnostics = compilation.diagnostics
    isStale = compilation.hasErrors
    if compilation.hasErrors { return .refused(compilation.diagnostics) }
    placements = compilation.pods
    enrolledNamespaces = compiler.enrolledNamespaces
    return .good(compiler.takeChange())
  }

  /// There are no manifests, and so no pods of this node.
  func placeNothing() { placements = [] }

  /// The manifests' part of status.
  func complete(_ status: inout ModelStatus) {
    func count(_ severity: Diagnostic.Severity) -> Int {
      diagnostics.count { $0.severity == severity }
    }
    let loudFirst = diagnostics.enumerated().sorted {
      ($1.element.severity.rawValue, $0.offset) < ($0.element.severity.rawValue, $1.offset)
    }
    status.isStale = isStale
    status.errors = count(.error)
    status.refused = count(.refusal)
    status.warnings = count(.warning)
    status.diagnostics = loudFirst.prefix(Limit.diagnosticsShown).map {
      DiagnosticStatus($0.element)
    }
  }
}
