public import ArgumentParser

/// For people or for programs.
public enum OutputFormat: String, ExpressibleByArgument, CaseIterable, Sendable {
  case table, json
}

/// When cells are shown in the colour of their health.
public enum ColourChoice: String, ExpressibleByArgument, CaseIterable, Sendable {
  case auto, always, never

  /// `noColor` is the variable NO_COLOR, which counts when it is set to anything.
  public func shows(onTerminal isTerminal: Bool, noColor: String?) -> Bool {
    switch self {
    case .auto: isTerminal && (noColor ?? "").isEmpty
    case .always: true
    case .never: false
    }
  }
}
