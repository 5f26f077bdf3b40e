public enum Command: String, Hashable, Sendable, CaseIterable {
  case add = "ADD"
  case delete = "DEL"
  case check = "CHECK"
  case collect = "GC"
  case status = "STATUS"
  case version = "VERSION"

  /// Whether the call is about one attachment of one container.
  var isAboutContainer: Bool {
    switch self {
    case .add, .delete, .check: true
    case .collect, .status, .version: false
    }
  }
}

/// One call of a runtime: its environment and configuration, read and held to the specification.
public struct Call: Hashable, Sendable {
  public var command: Command
  public var configuration: Configuration
  /// Empty where the command is not about a container.
  public var containerID: String
  /// Nil on DEL when the namespace is gone already.
  public var namespacePath: String?
  public var interface: String
  /// Nil when the container is no pod of Kubernetes.
  public var pod: Pod?

  public static let versions = ["0.3.1", "0.4.0", "1.0.0", "1.1.0"]

  /// `environment` holds `NAME=value` each.
  public init(environment: [String], input: [UInt8]) throws(Failure) {
    let variables = Call.pairs(environment)
    let command = try Call.command(in: environment)
    self.command = command
    configuration = try Configuration(reading: input)
    containerID = variables["CNI_CONTAINERID"] ?? ""
    interface = variables["CNI_IFNAME"] ?? ""
    let path = variables["CNI_NETNS"] ?? ""
    namespacePath = path.isEmpty ? nil : path
    pod = Pod(Call.pairs((variables["CNI_ARGS"] ?? "").split(separator: ";").map(String.init)))
    guard command.isAboutContainer else { return }
    if containerID.isEmpty { throw .environment("CNI_CONTAINERID is not set") }
    if interface.isEmpty { throw .environment("CNI_IFNAME is not set") }
    if namespacePath == nil, command != .delete { throw .environment("CNI_NETNS is not set") }
    if configuration.previousResult == nil, command != .delete {
      throw .configuration("no prevResult: put skein-cni behind another plugin in a conflist")
    }
  }

  /// The command alone, which says how an unreadable call may end.
  public static func command(in environment: [String]) throws(Failure) -> Command {
    guard let word = pairs(environment)["CNI_COMMAND"] else {
      throw .environment("CNI_COMMAND is not set: this program is started by a container runtime")
    }
    guard let command = Command(rawValue: word) else {
      throw .environment("CNI_COMMAND \(word) is none of the specification")
    }
    return command
  }

  private static func pairs(_ texts: [String]) -> [String: String] {
    var pairs: [String: String] = [:]
    for text in texts {
      let sides = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      if sides.count == 2 { pairs[String(sides[0])] = String(sides[1]) }
    }
    return pairs
  }
}

/// A pod as the runtime names it.
public struct Pod: Hashable, Sendable {
  public var namespace: String
  public var name: String
  /// Empty with a runtime that does not say.
  public var uid: String

  public init(namespace: String, name: String, uid: String) {
    self.namespace = namespace
    self.name = name
    self.uid = uid
  }

  init?(_ arguments: [String: String]) {
    guard let namespace = arguments["K8S_POD_NAMESPACE"], !namespace.isEmpty,
      let name = arguments["K8S_POD_NAME"], !name.isEmpty
    else { return nil }
    self.init(namespace: namespace, name: name, uid: arguments["K8S_POD_UID"] ?? "")
  }
}

/// What standard input says.
public struct Configuration: Hashable, Sendable {
  public var version: String
  public var agentSocket: String
  public var enrolledFile: String
  /// Whether pods start while the agent is away and the list of namespaces is unreadable.
  public var isOpenWithoutList: Bool
  /// What the plugins before us made, to be passed on as it is.
  public var previousResult: JSONValue?

  public static let usualSocket = "/run/skein/cni.sock"
  public static let usualFile = "/run/skein/cni-enrolled.json"

  public init(reading input: [UInt8]) throws(Failure) {
    let json: JSONValue
    do throws(JSONProblem) {
      json = try JSONValue(reading: input)
    } catch {
      throw .input(error.description)
    }
    guard case .object = json else { throw .input("not a JSON object") }
    version = try Configuration.text(json, "cniVersion", "0.2.0")
    guard Call.versions.contains(version) else {
      throw .version("\(version); set cniVersion to one of \(Call.versions)")
    }
    agentSocket = try Configuration.path(json, "agentSocket", Configuration.usualSocket)
    enrolledFile = try Configuration.path(json, "enrolledFile", Configuration.usualFile)
    switch json["failOpenWithoutList"] {
    case nil: isOpenWithoutList = false
    case .boolean(let value): isOpenWithoutList = value
    default: throw .configuration("failOpenWithoutList is neither true nor false")
    }
    previousResult = json["prevResult"]
    if previousResult == .null { previousResult = nil }
  }

  /// The addresses the plugins before us gave, without their prefixes.
  public var addresses: [String] {
    let all = (previousResult?["ips"]?.items ?? []).compactMap { $0["address"]?.text }
    return all.prefix(Limit.addresses).map { String($0.prefix { $0 != "/" }) }
  }

  private static func text(
    _ json: JSONValue, _ key: String, _ usual: String
  ) throws(Failure) -> String {
    guard let value = json[key] else { return usual }
    guard let text = value.text else { throw .configuration("\(key) is not text") }
    return text
  }

  private static func path(
    _ json: JSONValue, _ key: String, _ usual: String
  ) throws(Failure) -> String {
    let path = try text(json, key, usual)
    guard path.hasPrefix("/") else { throw .configuration("\(key) is not an absolute path") }
    return path
  }
}
