import KubernetesClient
import MeshCompiler

/// The objects of a cluster that say which pods a node takes care of: its own pods, all namespaces.
///
/// What they mean is the compiler's to say, so that node and control plane say the same. A wrong
/// object is its writer's trouble alone: it keeps its last good version, or is left out.
struct NodeObjects: Sendable {
  private struct Entry: Sendable {
    /// As the API has it; nil when it is beyond what is read.
    var written: ManifestObject?
    var findings: [Diagnostic] = []
  }

  private let options: CompilerOptions
  private var compiler: Compiler
  private var entries: [String: Entry] = [:]

  init(options: CompilerOptions) {
    self.options = options
    compiler = Compiler(options: options)
  }

  /// Takes changes of one kind in; false when they mean nothing to the node.
  mutating func take(_ changes: [Reflector.Change], kind: String) -> Bool {
    var isNew = false
    for change in changes {
      switch change {
      case .applied(let object): isNew = apply(object, kind) || isNew
      case .refused(let object): isNew = refuse(object, kind) || isNew
      case .removed(let name):
        let source = "\(kind)/\(name)"
        compiler.remove(source: source)
        isNew = entries.removeValue(forKey: source) != nil || isNew
      }
    }
    return isNew
  }

  private mutating func apply(_ object: WatchedObject, _ kind: String) -> Bool {
    let source = "\(kind)/\(object.name)"
    let written = ManifestObject(file: source, document: 0, root: object.root)
    guard entries[source]?.written != written else { return false }
    let errors = compile(objects: [written], options: options).diagnostics
      .filter { $0.severity == .error }
    entries[source] = Entry(written: written, findings: errors)
    if errors.isEmpty { compiler.update(source: source, objects: [written]) }
    return true
  }

  private mutating func refuse(_ object: RefusedObject, _ kind: String) -> Bool {
    let source = "\(kind)/\(object.name)"
    let finding = Diagnostic(
      .error, .tooLarge, file: source,
      object: Diagnostic.ObjectName(
        kind: kind, namespace: object.name.namespace, name: object.name.name),
      message: object.reason)
    guard entries[source]?.findings != [finding] else { return false }
    entries[source] = Entry(findings: [finding])
    return true
  }

  /// The namespaces whose pods are to be enrolled, with pods here or without.
  var enrolledNamespaces: Set<String> { compiler.enrolledNamespaces }

  /// Where the pods are, and what there is to say about the objects.
  ///
  /// A pod's annotation is not believed about its network namespace: on a cluster anybody who may
  /// write pods could name another's.
  mutating func compiled() -> (placements: [PodPlacement], findings: [Diagnostic]) {
    let compilation = compiler.compiled()
    let placements = compilation.pods.map { pod in
      var pod = pod
      pod.networkNamespace = nil
      return pod
    }
    let own = entries.values.flatMap(\.findings)
    let findings = own + compilation.diagnostics
    return (placements, findings.sorted { ($0.file, $0.field) < ($1.file, $1.field) })
  }
}
