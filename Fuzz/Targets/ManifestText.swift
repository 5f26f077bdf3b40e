// Modules: MeshModel MeshCompiler Yams Manifests
import Manifests
import MeshCompiler

/// Any file gives objects or findings, and any objects compile; the first byte picks the format.
@c(LLVMFuzzerTestOneInput)
public func fuzzManifestText(_ bytes: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  let input = Array(UnsafeBufferPointer(start: bytes, count: count))
  let isJSON = input.first == UInt8(ascii: "{") || input.first == UInt8(ascii: "[")
  let text = ManifestText(input, file: isJSON ? "a.json" : "a.yaml")
  _ = compile(objects: text.objects)
  return 0
}
