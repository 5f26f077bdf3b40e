public import ArgumentParser
import MeshModel
import Telemetry

/// Where to listen, by address: `127.0.0.1:15014`, `[::1]:15014`.
struct AddressArgument: ExpressibleByArgument, Equatable, CustomStringConvertible {
  var address: SocketAddress

  init(_ address: SocketAddress) { self.address = address }

  init?(argument: String) {
    guard let address = SocketAddress(argument) else { return nil }
    self.address = address
  }

  var description: String { address.description }
  var defaultValueDescription: String { description }

  /// Where `status` looks when it is told nothing.
  static let admin = AddressArgument(SocketAddress(ip: .v4(0x7f00_0001), port: 15_014))
}

extension LogFormat: ExpressibleByArgument {}
