/// A file of networks as a runtime reads it, and our plugin's place at its end.
///
/// A runtime takes the first name in byte order that ends as below. Only `.conflist` is read as a
/// list: a single network (`.conf`, `.json`) becomes one under another name.
public struct NetworkList: Hashable, Sendable {
  /// The whole file, fields that we do not know among them.
  public private(set) var json: JSONValue

  public static let pluginType = "skein-cni"

  /// Whether a runtime looks at a file of this name.
  public static func isNetwork(_ name: String) -> Bool {
    [".conf", ".conflist", ".json"].contains { name.hasSuffix($0) }
  }

  /// The file a runtime would take; nil when no name is one.
  public static func chosen(among names: [String]) -> String? {
    names.filter(isNetwork).min { $0.utf8.lexicographicallyPrecedes($1.utf8) }
  }

  /// The name under which a list may stand.
  public static func listName(_ name: String) -> String {
    if name.hasSuffix(".conf") { return "\(name)list" }
    return name.hasSuffix(".json") ? "\(name.dropLast(5)).conflist" : name
  }

  public init(reading bytes: [UInt8]) throws(NetworkListProblem) {
    let json: JSONValue
    do throws(JSONProblem) {
      json = try JSONValue(reading: bytes)
    } catch {
      throw .json(error)
    }
    if let plugins = json["plugins"] {
      guard plugins.items?.isEmpty == false else { throw .noPlugins }
      self.json = json
      return
    }
    guard json["type"]?.text != nil, let name = json["name"] else { throw .noPlugins }
    let version = json["cniVersion"] ?? .string("0.3.1")
    self.json = .object([
      .init("cniVersion", version), .init("name", name), .init("plugins", .array([json])),
    ])
  }

  public enum Presence: Hashable, Sendable {
    /// At the end, exactly as it should be.
    case present
    case absent
    /// There, but changed, doubled or not at the end.
    case different
  }

  public func presence(of plugin: JSONValue) -> Presence {
    let ours = plugins.filter(NetworkList.isOurs)
    if ours.isEmpty { return .absent }
    return ours.count == 1 && plugins.last == plugin ? .present : .different
  }

  /// Puts our plugin at the end, once; the rest stays as it is.
  public mutating func add(_ plugin: JSONValue) {
    let others = plugins.filter { !NetworkList.isOurs($0) }
    json = json.setting("plugins", .array(others + [plugin]))
  }

  public mutating func remove() {
    json = json.setting("plugins", .array(plugins.filter { !NetworkList.isOurs($0) }))
  }

  /// Whether our plugin is anywhere in it.
  public var hasOurs: Bool { plugins.contains(where: NetworkList.isOurs) }

  /// Whether it makes a network: our plugin alone does not.
  public var hasOthers: Bool { plugins.contains { !NetworkList.isOurs($0) } }

  /// The whole file as it is written.
  public var bytes: [UInt8] { Array("\(json)\n".utf8) }

  /// Our plugin's entry.
  public static func plugin(
    agentSocket: String, enrolledFile: String, isOpenWithoutList: Bool = false
  ) -> JSONValue {
    let entry = JSONValue.object([
      .init("type", .string(pluginType)), .init("agentSocket", .string(agentSocket)),
      .init("enrolledFile", .string(enrolledFile)),
    ])
    return isOpenWithoutList ? entry.setting("failOpenWithoutList", .boolean(true)) : entry
  }

  private var plugins: [JSONValue] { json["plugins"]?.items ?? [] }

  private static func isOurs(_ plugin: JSONValue) -> Bool {
    plugin["type"]?.text == pluginType
  }
}

/// Why a file is none a plugin can be chained to.
public enum NetworkListProblem: Error, Hashable, CustomStringConvertible {
  case json(JSONProblem)
  case noPlugins

  public var description: String {
    switch self {
    case .json(let problem): "\(problem); mend the file, no pod of this node gets a network by it"
    case .noPlugins: "neither a network with name and type nor a list of plugins; mend the file"
    }
  }
}
