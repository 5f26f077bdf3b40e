public import ArgumentParser
import MeshModel
import Telemetry

/// A length of time on the command line: `25s`, `500ms`, `10m`, `24h`.
struct DurationArgument: ExpressibleByArgument, CustomStringConvertible, Equatable {
  var duration: Duration

  init(_ duration: Duration) { self.duration = duration }

  init?(argument: String) {
    let digits = argument.prefix { $0.isASCII && $0.isNumber }
    // Nine digits of hours are more than a hundred thousand years, and no overflow.
    guard digits.count <= 9, let number = Int64(digits) else { return nil }
    switch argument.dropFirst(digits.count) {
    case "ms": duration = .milliseconds(number)
    case "s": duration = .seconds(number)
    case "m": duration = .seconds(number * 60)
    case "h": duration = .seconds(number * 3_600)
    default: return nil
    }
  }

  var description: String {
    let milliseconds = duration.milliseconds
    if milliseconds % 1_000 != 0 { return "\(milliseconds)ms" }
    let seconds = milliseconds / 1_000
    if seconds % 3_600 == 0, seconds > 0 { return "\(seconds / 3_600)h" }
    return seconds % 60 == 0 && seconds > 0 ? "\(seconds / 60)m" : "\(seconds)s"
  }

  var defaultValueDescription: String { description }
}

/// Where to listen: `127.0.0.1:15020`, `[::1]:15020`.
struct AddressArgument: ExpressibleByArgument, Equatable {
  var address: SocketAddress

  init?(argument: String) {
    guard let address = SocketAddress(argument) else { return nil }
    self.address = address
  }
}

extension LogFormat: ExpressibleByArgument {}

enum OutputFormat: String, ExpressibleByArgument, CaseIterable {
  case table, json
}

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

/// A command that did its work and found something unhealthy.
let unhealthy = ExitCode(1)
