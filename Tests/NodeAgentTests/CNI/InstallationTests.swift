import CNI
import FoundationEssentials
import Linux
import Testing

@testable import NodeAgent

private let list = #"{ "cniVersion":"1.0.0", "name":"n", "plugins":[ {"type":"bridge"} ] }"#

/// A runtime's two directories, and a program to be copied.
private struct Runtime: ~Copyable {
  let folder: String
  var networks: String { "\(folder)/net" }
  var programs: String { "\(folder)/bin" }
  var program: String { "\(folder)/bin/skein-cni" }

  init() throws {
    folder = "/tmp/skein-install-\(CurrentProcess.id)-\(Random.uint64())"
    for name in ["", "/net", "/bin"] { try Directory.make(folder + name) }
    try File.replace("\(folder)/plugin", with: Array("program".utf8))
  }

  deinit {
    #expect(throws: Never.self) { try FileManager.default.removeItem(atPath: folder) }
  }

  func installer() -> PluginInstaller {
    let settings = CNISettings(
      configDirectory: networks, programDirectory: programs, socket: "/s", enrolledFile: "/e")
    return PluginInstaller(settings, source: "\(folder)/plugin", record: "\(folder)/record")
  }

  func write(_ text: String, to name: String) throws {
    try File.replace("\(networks)/\(name)", with: Array(text.utf8), mode: 0o644)
  }

  func read(_ name: String) throws -> String { try File.readText("\(networks)/\(name)") }
}

private func status(_ installer: PluginInstaller) async -> CNIStatus {
  var status = CNIStatus()
  await installer.complete(&status)
  return status
}

/// Waits until the installer's state is what is asked for.
private func until(
  _ installer: PluginInstaller, _ isSo: (CNIStatus) throws -> Bool
) async throws {
  let deadline = ContinuousClock.now + .seconds(60)
  while try await !isSo(status(installer)) {
    guard ContinuousClock.now < deadline else {
      Issue.record("\(await status(installer))")
      return
    }
    try await Task.sleep(for: .milliseconds(20))
  }
}

@Suite struct `The plugin's place` {
  @Test func `is taken when there is a network, mended, and given back as it was`() async throws {
    let runtime = try Runtime()
    let installer = runtime.installer()
    try await withThrowingTaskGroup { group in
      group.addTask { await installer.watch() }
      try await until(installer) { $0.state == "waiting" && File.exists(runtime.program) }
      try runtime.write(list, to: "10-n.conflist")
      try await until(installer) { $0.state == "chained" }
      #expect(try runtime.read("10-n.conflist").contains(NetworkList.pluginType))
      #expect(PlainFile("\(runtime.networks)/10-n.conflist")?.mode == 0o644)
      #expect(PlainFile(runtime.program)?.mode == 0o755)

      try runtime.write(list, to: "10-n.conflist")
      try File.remove(runtime.program)
      try await until(installer) { status in
        try status.repairs > 0 && runtime.read("10-n.conflist").contains(NetworkList.pluginType)
          && File.exists(runtime.program)
      }
      #expect(await installer.leave() == [])
      group.cancelAll()
    }
    #expect(try Directory.entries(runtime.networks) == ["10-n.conflist"])
    #expect(try runtime.read("10-n.conflist") == list)
    #expect(try Directory.entries(runtime.programs).isEmpty)
    #expect(!File.exists("\(runtime.folder)/record"))
  }

  @Test func `is not taken in a network before there is a program to call`() async throws {
    let runtime = try Runtime()
    let installer = runtime.installer()
    try Directory.remove(runtime.programs)
    try runtime.write(list, to: "10-n.conflist")
    try await withThrowingTaskGroup { group in
      group.addTask { await installer.watch() }
      try await until(installer) { $0.state == "refused" && !$0.problems.isEmpty }
      #expect(try runtime.read("10-n.conflist") == list)
      try Directory.make(runtime.programs)
      try await until(installer) { $0.state == "chained" && $0.problems.isEmpty }
      group.cancelAll()
    }
    #expect(await installer.leave() == [])
  }

  @Test func `is found again by what was recorded, and a program in use is not removed`()
    async throws
  {
    let runtime = try Runtime()
    let installation = CNIInstallation(
      configDirectory: runtime.networks, programDirectory: runtime.programs)
    try File.replace(
      CNIInstallation.file(in: runtime.folder), with: try jsonBytes(of: installation))
    #expect(try CNIInstallation.recorded(in: runtime.folder) == installation)
    #expect(try CNIInstallation.recorded(in: "/nowhere") == nil)
    try File.replace(runtime.program, with: [])
    try runtime.write(#"{"plugins":[{"type":"skein-cni"}]}"#, to: "10-n.conflist")
    #expect(installation.remove().count == 2)
    #expect(File.exists(runtime.program))
    try runtime.write(#"{"plugins":[{"type":"bridge"},{"type":"skein-cni"}]}"#, to: "10-n.conflist")
    #expect(installation.remove() == [])
    #expect(!File.exists(runtime.program))
    #expect(try runtime.read("10-n.conflist") == #"{"plugins":[{"type":"bridge"}]}"# + "\n")
  }

  @Test func `is given up when it is another now, and kept when it is not`() throws {
    let runtime = try Runtime()
    let installation = CNIInstallation(
      configDirectory: runtime.networks, programDirectory: runtime.programs)
    let record = CNIInstallation.file(in: runtime.folder)
    try File.replace(record, with: try jsonBytes(of: installation))
    let chained = #"{"plugins":[{"type":"bridge"},{"type":"skein-cni"}]}"#
    try runtime.write(chained, to: "10-n.conflist")
    try CNIInstallation.retire(in: runtime.folder, except: installation)
    #expect(try runtime.read("10-n.conflist") == chained)
    try CNIInstallation.retire(in: runtime.folder, except: nil)
    #expect(try runtime.read("10-n.conflist") == #"{"plugins":[{"type":"bridge"}]}"# + "\n")
    #expect(!File.exists(record))
    try CNIInstallation.retire(in: runtime.folder, except: nil)
  }

  @Test func `is left alone where a file is a link`() throws {
    let runtime = try Runtime()
    try File.replace("\(runtime.folder)/real", with: Array(list.utf8))
    try FileManager.default.createSymbolicLink(
      atPath: "\(runtime.networks)/10-n.conflist", withDestinationPath: "\(runtime.folder)/real")
    let found = try NetworkFolder.read(runtime.networks).entries["10-n.conflist"]
    guard case .unusable = found else {
      return #expect(Bool(false), "\(String(describing: found))")
    }
  }
}
