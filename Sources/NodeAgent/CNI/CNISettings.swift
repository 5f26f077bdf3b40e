import ArgumentParser

/// How the CNI plugin is answered and kept in place.
struct CNISettings: Hashable, Sendable {
  /// Where runtimes look for networks.
  var configDirectory: String
  /// Where they look for plugins.
  var programDirectory: String
  var socket: String
  /// The list of enrolled namespaces, for while we are away.
  var enrolledFile: String
  /// Nil: beside this executable.
  var pluginPath: String?
  /// Whether pods start while we are away and that list cannot be read.
  var isOpenWithoutList = false
}

extension RunSettings {
  /// The runtimes' calls that are in force.
  var calledPodsFile: String { "\(stateDirectory)/cni-pods" }
  /// Where the plugin was put, so that it can be taken out again.
  var installationFile: String { CNIInstallation.file(in: stateDirectory) }
}

/// The options that say where a container runtime looks.
struct CNIOptions: ParsableArguments {
  @Option(
    name: .customLong("cni-conf-dir"),
    help: """
      Directory of a container runtime's networks, such as /etc/cni/net.d: skein-cni is chained \
      there, so that pods are enrolled before they start. Needs --cni-bin-dir.
      """)
  var configDirectory: String?

  @Option(
    name: .customLong("cni-bin-dir"),
    help: "Directory of the runtime's plugins, such as /opt/cni/bin; skein-cni is copied there.")
  var programDirectory: String?

  @Option(
    name: .customLong("cni-socket"),
    help: "Where skein-cni asks node-agent. (default: STATE-DIR/cni.sock)")
  var socket: String?

  @Option(
    name: .customLong("cni-plugin"),
    help: "Path of the skein-cni to copy. (default: beside node-agent)")
  var pluginPath: String?

  @Flag(
    name: .customLong("cni-fail-open"),
    help: "Let pods start while node-agent is away and its list of namespaces is unreadable.")
  var isOpenWithoutList = false

  /// Nil: no CNI at all.
  ///
  /// Paths are absolute, since others are told them.
  func settings(stateDirectory: String, current: String) throws(SettingsError) -> CNISettings? {
    guard let configDirectory, let programDirectory else {
      let given = [configDirectory, programDirectory, socket, pluginPath]
      guard given.allSatisfy({ $0 == nil }), !isOpenWithoutList else { throw .halfCNI }
      return nil
    }
    let absolute = { (path: String) in path.hasPrefix("/") ? path : "\(current)/\(path)" }
    return CNISettings(
      configDirectory: absolute(configDirectory), programDirectory: absolute(programDirectory),
      socket: absolute(socket ?? "\(stateDirectory)/cni.sock"),
      enrolledFile: absolute("\(stateDirectory)/cni-enrolled.json"), pluginPath: pluginPath,
      isOpenWithoutList: isOpenWithoutList)
  }
}

/// Where `uninstall` finds the plugin.
struct CNIPlaceOptions: ParsableArguments {
  @Option(
    name: .customLong("cni-conf-dir"),
    help: "The directory of networks that was given to run. (default: as the state directory says)")
  var configDirectory: String?

  @Option(
    name: .customLong("cni-bin-dir"),
    help: "The directory of plugins that was given to run. (default: as the state directory says)")
  var programDirectory: String?

  func validate() throws {
    if (configDirectory == nil) != (programDirectory == nil) {
      throw ValidationError("give --cni-conf-dir and --cni-bin-dir together")
    }
  }

  func installation(stateDirectory: String) throws -> CNIInstallation? {
    guard let configDirectory, let programDirectory else {
      return try CNIInstallation.recorded(in: stateDirectory)
    }
    return CNIInstallation(configDirectory: configDirectory, programDirectory: programDirectory)
  }
}
