/// What a runtime is told when a call fails, with the specification's numbers.
public enum Failure: Error, Hashable, Sendable {
  case version(String)
  case environment(String)
  case input(String)
  case configuration(String)
  /// The agent is away, and the pod may not start without it.
  case tryAgain(String)
  /// ADD could serve nobody now.
  case unavailable(String)
  /// The agent will not have this pod.
  case refused(String)

  public var code: Int {
    switch self {
    case .version: 1
    case .environment: 4
    case .input: 6
    case .configuration: 7
    case .tryAgain: 11
    case .unavailable: 50
    case .refused: 100
    }
  }

  public var message: String {
    switch self {
    case .version: "skein-cni does not speak this version of CNI"
    case .environment: "the environment is not that of a CNI call"
    case .input: "the configuration on standard input cannot be read"
    case .configuration: "the configuration of skein-cni is wrong"
    case .tryAgain: "node-agent does not answer, and this pod may not start without it"
    case .unavailable: "node-agent does not answer, and which namespaces are enrolled is unknown"
    case .refused: "node-agent refuses this pod"
    }
  }

  public var details: String {
    switch self {
    case .version(let text), .environment(let text), .input(let text), .configuration(let text),
      .tryAgain(let text), .unavailable(let text), .refused(let text):
      text
    }
  }

  /// The error result for standard output.
  public func json(version: String?) -> JSONValue {
    .object([
      .init("cniVersion", .string(version ?? "1.0.0")), .init("code", .number("\(code)")),
      .init("msg", .string(message)), .init("details", .string(details)),
    ])
  }
}
