public import ArgumentParser
import MeshModel
import Telemetry

/// Where to listen: `127.0.0.1:15020`, `[::1]:15020`.
struct AddressArgument: ExpressibleByArgument, Equatable {
  var address: SocketAddress

  init?(argument: String) {
    guard let address = SocketAddress(argument) else { return nil }
    self.address = address
  }
}

extension LogFormat: ExpressibleByArgument {}

extension StatusSection: ExpressibleByArgument {}

/// What every command about a running node agent needs to know.
struct StateDirectoryOption: ParsableArguments {
  @Option(name: .customLong("state-dir"), help: "The node agent's state directory.")
  var path = "/run/skein"
}

/// A node's name is one component of paths that are made, and removed with all that is in them.
func validateNodeName(_ name: String) throws {
  guard !name.isEmpty, !name.utf8.contains(UInt8(ascii: "/")), name != ".", name != ".." else {
    throw ValidationError("--node is a name, not \"\(name)\"")
  }
}
