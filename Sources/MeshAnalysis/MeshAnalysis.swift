/// Objects in, what is wrong with them out.
///
/// In: objects of a cluster, of files, or of both, as trees of values. Out: findings, each with a
/// code that stays, the object and field it is about, a sentence, and what to do next. What the
/// compiler says of an object is among them, so that both say the same.
/// Never here: files, the API, clocks; what is shown and how is the command line's.
public import MeshCompiler

/// What is looked at, and what is known of the rest.
public struct AnalysisInput: Sendable {
  public var objects: [ManifestObject]
  public var options: CompilerOptions
  public var completeness: Completeness

  public init(
    objects: [ManifestObject], options: CompilerOptions = CompilerOptions(),
    completeness: Completeness = .part
  ) {
    self.objects = objects
    self.options = options
    self.completeness = completeness
  }
}

/// Whether an object that is not among those given is known to be missing.
public enum Completeness: Hashable, Sendable {
  /// A cluster's objects, but for the kinds that could not be read.
  case whole(unread: Set<ObjectKind>)
  /// Some files: a kind counts as known in a namespace where at least one of it is given.
  case part
}

/// Everything there is to say about some objects, by object and code.
public func analyze(_ input: AnalysisInput) -> [Finding] {
  let compilation = compile(
    objects: input.objects.flatMap(\.members).filter(\.isCompiled), options: input.options)
  let mesh = MeshObjects(input)
  var report = Report()
  findPolicyProblems(mesh, &report)
  findRoutingProblems(mesh, &report)
  findServiceProblems(mesh, &report)
  findEnrolmentProblems(mesh, &report)
  report.add(compilation.diagnostics)
  return report.findings.sorted()
}

/// What a change makes of the findings: those about its own objects, and those that are new.
public func analyze(change: [ManifestObject], on base: AnalysisInput) -> [Finding] {
  let before = Set(analyze(base).map(\.essence))
  var after = base
  after.objects = base.objects.replacing(change)
  let files = Set(change.map(\.file))
  return analyze(after).filter { files.contains($0.file) || !before.contains($0.essence) }
}

/// What is wrong with the texts that objects were to be read from.
public func findings(inText diagnostics: [Diagnostic]) -> [Finding] {
  diagnostics.map { diagnostic in
    Finding(
      .invalidObject, object: diagnostic.object, file: diagnostic.file,
      document: diagnostic.document, line: diagnostic.line, field: diagnostic.field,
      message: diagnostic.message, nextStep: "Correct the text; nothing was read there.")
  }
}
