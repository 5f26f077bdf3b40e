/// The control plane: it compiles objects into the mesh and serves it to nodes.
///
/// In: manifests, the command line. Out: discovery over delta ADS, certificates.
import ArgumentParser

@main
struct ControlPlaneCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "control-plane", abstract: "Serves the mesh's discovery and certificates.")
}
