/// What came of asking the agent.
public enum Reply: Hashable, Sendable {
  case answered(CNIAnswer)
  /// Nobody listens, nothing came in time, or what came is no answer.
  case away(String)
}

/// What the list of enrolled namespaces says of a pod's.
public enum Listing: Hashable, Sendable {
  case enrolled
  case other
  case unreadable(String)

  /// How long the agent is waited for.
  public var wait: Duration {
    switch self {
    case .enrolled, .unreadable: Limit.enrolledWait
    case .other: Limit.otherWait
    }
  }
}

/// Whether a pod may start: the agent decides while it is there, the list while it is not.
public enum Admission {
  public static func decide(
    _ reply: Reply, _ listing: Listing, isOpenWithoutList: Bool
  ) throws(Failure) {
    switch (reply, listing) {
    case (.answered(.enrolled), _), (.answered(.notOurs), _), (.away, .other): return
    case (.answered(.refused(let reason)), _): throw .refused(reason)
    case (.answered(.notYet(let reason)), _): throw .tryAgain(reason)
    case (.away(let reason), .enrolled):
      throw .tryAgain("\(reason); the pod starts once node-agent runs on this node again")
    case (.away(let reason), .unreadable(let why)):
      if isOpenWithoutList { return }
      throw .tryAgain("\(reason); \(why); \(advice)")
    }
  }

  /// STATUS: whether ADD can serve anybody at all.
  ///
  /// While the list is readable, pods of other namespaces start without the agent; a runtime told
  /// otherwise would hold back every pod of the node.
  public static func decideStatus(
    _ reply: Reply, _ listing: Listing, isOpenWithoutList: Bool
  ) throws(Failure) {
    switch (reply, listing) {
    case (.away(let reason), .unreadable(let why)) where !isOpenWithoutList:
      throw .unavailable("\(reason); \(why); \(advice)")
    case (.answered, _), (.away, _): return
    }
  }

  private static let advice =
    "start node-agent on this node, which writes the list, or set failOpenWithoutList"
}

/// The namespaces that are enrolled, as the agent leaves them for while it is away.
///
///     {"version":1,"namespaces":["bank","shop"]}
public struct EnrolledList: Hashable, Sendable {
  public var namespaces: Set<String>

  public init(namespaces: Set<String>) { self.namespaces = namespaces }

  public init(reading bytes: [UInt8]) throws(EnrolledListProblem) {
    let json: JSONValue
    do throws(JSONProblem) {
      json = try JSONValue(reading: bytes)
    } catch {
      throw .json(error)
    }
    guard json["version"] == .number("1") else { throw .version }
    guard let items = json["namespaces"]?.items else { throw .namespaces }
    let names = items.compactMap(\.text)
    guard names.count == items.count else { throw .namespaces }
    namespaces = Set(names)
  }

  public var bytes: [UInt8] {
    let names = namespaces.sorted().map(JSONValue.string)
    let json = JSONValue.object([
      .init("version", .number("1")), .init("namespaces", .array(names)),
    ])
    return Array("\(json)\n".utf8)
  }

  public func listing(of namespace: String) -> Listing {
    namespaces.contains(namespace) ? .enrolled : .other
  }
}

public enum EnrolledListProblem: Error, Hashable, CustomStringConvertible {
  case json(JSONProblem)
  case version
  case namespaces

  public var description: String {
    switch self {
    case .json(let problem): problem.description
    case .version: "its version is not 1: node-agent and skein-cni are of different builds"
    case .namespaces: "its namespaces are no list of names"
    }
  }
}
