import CNI
import Linux
import MeshCompiler

/// A node's side of the CNI plugin: who answers it, and who keeps it in place.
final class NodeCNI: Sendable {
  let keeper: AdmissionKeeper
  private let listener: CallListener
  private let installer: PluginInstaller
  private let socket: String

  init(
    _ settings: CNISettings, _ run: RunSettings, _ enroller: Enroller,
    placeAgain: @escaping @Sendable () -> Void
  ) throws {
    let source = try settings.pluginPath ?? "\(executableDirectory())/skein-cni"
    guard File.exists(source) else { throw RunError.noPlugin(path: source) }
    keeper = AdmissionKeeper(
      settings, node: run.node, callsFile: run.calledPodsFile, enroller: enroller,
      placeAgain: placeAgain)
    installer = PluginInstaller(settings, source: source, record: run.installationFile)
    socket = settings.socket
    listener = try CallListener(path: socket)
  }

  /// Answers calls, and keeps the plugin in place once it can decide without us.
  func run() async {
    await withDiscardingTaskGroup { group in
      group.addTask {
        do {
          while await !self.keeper.hasList { try await Task.sleep(for: FileWatch.tick) }
        } catch {
          return
        }
        await self.installer.watch()
      }
      for await question in listener.questions {
        group.addTask {
          self.listener.answer(question, await self.keeper.answer(question.request))
        }
      }
      group.cancelAll()
    }
  }

  /// The node leaves: no pod is held up any more, and none is let in.
  ///
  /// A line for each thing that stays.
  func leave() async -> [String] {
    await keeper.leave()
    return await installer.leave()
  }

  /// Ends the answers, after the last pod has gone.
  func stop() throws(LinuxError) {
    listener.stop()
    try File.remove(socket)
  }

  var status: CNIStatus {
    get async {
      var status = CNIStatus()
      await installer.complete(&status)
      await keeper.complete(&status)
      return status
    }
  }
}
