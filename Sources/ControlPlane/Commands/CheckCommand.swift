import ArgumentParser
import Commands
import Manifests
import MeshCompiler
import MeshModel
import XDS

struct CheckCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "check",
    abstract: "Check manifests without running anything.",
    discussion: """
      The same findings as `run`; exit code 1 when there is an error.

      Example:
        control-plane check manifests/
      """)

  @Argument(help: "Directory of manifests.")
  var directory: String

  @Option(help: "The first part of every identity.")
  var trustDomain = "cluster.local"

  @Option(help: "The last part of every service's host name.")
  var clusterDomain = "cluster.local"

  func run() throws {
    let options = CompilerOptions(clusterDomain: clusterDomain, trustDomain: trustDomain)
    let compilation = ManifestDirectory(path: directory).read().compiled(options: options)
    for diagnostic in compilation.diagnostics { print(diagnostic) }
    let set = ResourceSet(compilation.model)
    for omitted in set.omitted { print(omitted) }
    let errors = compilation.diagnostics.count { $0.severity == .error }
    let model = compilation.model
    print(
      "\(model.workloads.count) workloads, \(model.services.count) services, "
        + "\(model.policies.count) policies, "
        + "\(set.bytes(.address) + set.bytes(.authorization)) bytes to send, \(errors) errors")
    if compilation.hasErrors || !set.omitted.isEmpty { throw unhealthy }
  }
}
