import Linux
import Manifests
import MeshCompiler
import MeshModel
import Testing

/// The user guide of embedded mode.
private func guide() throws -> String {
  let root = #filePath.split(separator: "/").dropLast(3).reduce("") { "\($0)/\($1)" }
  return try File.readText("\(root)/docs/embedded-mode.md")
}

@Suite struct `The guide says what is so` {
  @Test func `its examples make a mesh without a finding`() throws {
    let blocks = try guide().split(separator: "```yaml\n").dropFirst().compactMap {
      $0.split(separator: "```", maxSplits: 1).first
    }
    #expect(blocks.count == 2)
    let yaml = blocks.joined(separator: "---\n")
    let text = ManifestText(Array(yaml.utf8), file: "guide.yaml")
    let mesh = compile(objects: text.objects)
    #expect(text.diagnostics == [])
    #expect(mesh.diagnostics == [])
    let workload = try #require(mesh.model.workloads["Kubernetes//Pod/shop/web-1"])
    #expect(workload.services.values.first?.map(\.targetPort) == [8080])
    #expect(workload.authorizationPolicies.count == 2)
    #expect(mesh.pods.first?.networkNamespace == "/run/netns/web-1")
  }

  @Test func `its limits are the limits`() throws {
    let limits = ManifestLimits()
    let text = try guide()
    for (what, count) in [
      ("files, folders | 10 000, 4 096", limits.files == 10_000 && limits.directories == 4_096),
      ("together | 4 MiB, 64 MiB", limits.fileBytes == 4 << 20 && limits.totalBytes == 64 << 20),
      ("documents in a file | 10 000", limits.documentsPerFile == 10_000),
      ("are replaced | 500 000", limits.nodesPerFile == 500_000),
      ("inside one another | 64", limits.depth == 64),
      ("objects | 100 000", Limit.objects == 100_000),
      ("the objects | 1 000", Limit.diagnostics == 1_000),
      ("any depth (16 at most)", limits.directoryDepth == 16),
      ("for 50 ms", ManifestDirectory.Timing.quiet == .milliseconds(50)),
      ("after 500 ms", ManifestDirectory.Timing.longest == .milliseconds(500)),
    ] {
      #expect(count && text.contains(what), "\(what)")
    }
  }
}
