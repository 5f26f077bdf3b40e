/// Objects in, the mesh they mean out.
///
/// In: Kubernetes and Istio objects as trees of values, and the mesh's settings. Out: the model,
/// where each pod runs, and everything there is to say about the objects, by file and line.
/// Never here: files, YAML, clocks; whether a node acts on the answer is decided elsewhere.
import MeshModel

/// What the objects mean; the same objects give the same answer, whatever their order.
public func compile(
  objects: [ManifestObject], options: CompilerOptions = CompilerOptions()
) -> Compilation {
  var compiler = Compiler(options: options)
  for (file, objects) in Dictionary(grouping: objects, by: \.file) {
    compiler.update(source: file, objects: objects)
  }
  return compiler.compiled()
}
