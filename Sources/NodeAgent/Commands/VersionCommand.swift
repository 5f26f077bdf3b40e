import ArgumentParser
import Commands

struct VersionCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "version", abstract: "Print the version.")

  func run() { print("node-agent \(skeinVersion)") }
}
