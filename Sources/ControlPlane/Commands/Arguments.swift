public import ArgumentParser
import MeshModel
import Telemetry

/// A length of time on the command line: `25s`, `10m`, `24h`, `90d`.
struct DurationArgument: ExpressibleByArgument, CustomStringConvertible, Equatable {
  var duration: Duration

  init(_ duration: Duration) { self.duration = duration }

  init?(argument: String) {
    let digits = argument.prefix { $0.isASCII && $0.isNumber }
    // Nine digits of days are a million years, and no overflow.
    guard digits.count <= 9, let number = Int64(digits) else { return nil }
    switch argument.dropFirst(digits.count) {
    case "s": duration = .seconds(number)
    case "m": duration = .seconds(number * 60)
    case "h": duration = .seconds(number * 3_600)
    case "d": duration = .seconds(number * 86_400)
    default: return nil
    }
  }

  var description: String {
    let seconds = duration.components.seconds
    for (unit, length) in [("d", Int64(86_400)), ("h", 3_600), ("m", 60)]
    where seconds > 0 && seconds % length == 0 {
      return "\(seconds / length)\(unit)"
    }
    return "\(seconds)s"
  }

  var defaultValueDescription: String { description }
}

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

enum OutputFormat: String, ExpressibleByArgument, CaseIterable {
  case table, json
}

/// A command that did its work and found something unhealthy.
let unhealthy = ExitCode(1)
