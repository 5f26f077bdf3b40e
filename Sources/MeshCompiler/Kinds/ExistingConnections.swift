/// What becomes of the connections that a pod has when it comes into the mesh or leaves it.
public enum ExistingConnections: String, Hashable, Sendable, CaseIterable {
  /// They are cut.
  case reset
  /// They go on as they began until they end or a deadline comes, while new ones are of the mesh.
  case grandfather
  /// The pod comes into the mesh when it has none, or when a deadline comes.
  case wait
}

/// What a pod, or else its namespace, says of that; nil: as the node has it.
public struct ConnectionWish: Hashable, Sendable {
  public var mode: ExistingConnections?
  public var deadline: Duration?

  public init(mode: ExistingConnections? = nil, deadline: Duration? = nil) {
    self.mode = mode
    self.deadline = deadline
  }

  func or(_ other: ConnectionWish) -> ConnectionWish {
    ConnectionWish(mode: mode ?? other.mode, deadline: deadline ?? other.deadline)
  }
}

extension ObjectReader {
  /// A word that is none says nothing, and is warned about: a pod is not to stay out for it.
  mutating func connectionWish(_ annotations: Fields) -> ConnectionWish {
    let modes = ExistingConnections.allCases.map(\.rawValue)
    return ConnectionWish(
      mode: wish(annotations[Key.existingConnections], modes.joined(separator: ", ")) {
        ExistingConnections(rawValue: $0)
      },
      deadline: wish(annotations[Key.existingConnectionsDeadline], "a time such as 90s, 10m or 1h")
      {
        connectionDeadline($0)
      })
  }

  private mutating func wish<Value>(
    _ field: Field?, _ expectation: String, _ read: (String) -> Value?
  ) -> Value? {
    guard let written = string(field) else { return nil }
    if let value = read(written.value) { return value }
    report(
      .warning, .invalidValue, at: written.path, line: written.line,
      "expected \(expectation), found \(quoted(written.value)); the node's own setting stands")
    return nil
  }
}

/// From one second to a day; longer is no deadline.
private func connectionDeadline(_ text: String) -> Duration? {
  let digits = text.prefix { $0.isASCII && $0.isNumber }
  guard (1...6).contains(digits.count), let number = Int64(digits) else { return nil }
  let seconds: Int64
  switch text.dropFirst(digits.count) {
  case "s": seconds = number
  case "m": seconds = number * 60
  case "h": seconds = number * 3_600
  default: return nil
  }
  return (1...86_400).contains(seconds) ? .seconds(seconds) : nil
}
