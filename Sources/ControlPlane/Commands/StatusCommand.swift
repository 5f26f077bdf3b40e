import ArgumentParser
import AsyncHTTPClient
import Commands
import FoundationEssentials
import Linux
import NIOCore

struct StatusCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "status",
    abstract: "Show a running control plane's state.",
    discussion: """
      Exits 0 when it is healthy, 1 when it is not or no control plane answers.

      Examples:
        control-plane status
        control-plane status --admin 127.0.0.1:15014 -o json
      """)

  @Option(help: "Where the control plane's --admin is.")
  var admin = AddressArgument.admin

  @Option(name: [.customShort("o"), .long], help: "table or json.")
  var output = OutputFormat.table

  func run() async throws {
    let status: ControlStatus
    do {
      status = try await fetched()
    } catch {
      CurrentProcess.writeError(
        "control-plane: no answer at \(admin) (\(error)); is it running, with this --admin?")
      throw unhealthy
    }
    switch output {
    case .json: print(try jsonText(of: status))
    case .table: print(status.text(colours: StandardOutput.isTerminal), terminator: "")
    }
    if !status.isHealthy { throw unhealthy }
  }

  private func fetched() async throws -> ControlStatus {
    let response = try await HTTPClient.shared.execute(
      HTTPClientRequest(url: "http://\(admin)/v1/status"),
      timeout: .seconds(Limit.adminTimeout.components.seconds))
    let body = try await response.body.collect(upTo: Limit.statusBytes)
    return try JSONDecoder().decode(ControlStatus.self, from: Data(Array(body.readableBytesView)))
  }
}
