/// Objects in, the mesh they mean out.
///
/// In: Kubernetes and Istio objects as trees of values, and the mesh's settings. Out: the model,
/// where each pod runs, and everything there is to say about the objects, by file and line.
/// Never here: files, YAML, clocks; whether a node acts on the answer is decided elsewhere.
public func compile(
  objects: [ManifestObject], options: CompilerOptions = CompilerOptions()
) -> Compilation {
  Compilation()
}
