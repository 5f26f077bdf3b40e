import ArgumentParser
import Commands

struct VersionCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "version",
    abstract: "Print the version.",
    discussion: """
      Example:
        \(Program.name) version
      """)

  func run() async throws { print("\(Program.name) \(skeinVersion)") }
}
