import ArgumentParser
import Commands
import MeshCompiler

/// What becomes of connections that live when their pod comes into the mesh or leaves it.
struct ConnectionOptions: ParsableArguments {
  private static let deadlines: ClosedRange<Duration> = .seconds(1) ... .seconds(86_400)

  @Option(
    name: .customLong("existing-connections"),
    help: """
      What becomes of a pod's connections when it is enrolled or released: reset, grandfather (they \
      go on as they began, until a deadline) or wait (the pod is enrolled when it has none). The \
      annotation skein.dev/existing-connections of a pod or its namespace goes before.
      """,
    transform: { word in
      guard let mode = ExistingConnections(rawValue: word) else {
        throw ValidationError("it is reset, grandfather or wait, not \(word)")
      }
      return mode
    })
  var mode = ExistingConnections.grandfather

  @Option(
    name: .customLong("existing-connections-deadline"),
    help: """
      When those connections are cut, from 1s to 24h; skein.dev/existing-connections-deadline of a \
      pod or its namespace goes before.
      """)
  var deadline = DurationArgument(.seconds(600))

  func validate() throws {
    guard Self.deadlines.contains(deadline.duration) else {
      throw ValidationError(
        "--existing-connections-deadline is from 1s to 24h, not \(deadline); to let no connection "
          + "live, give --existing-connections reset")
    }
  }

  var settings: ConnectionSettings {
    ConnectionSettings(mode: mode, deadline: deadline.duration)
  }
}
