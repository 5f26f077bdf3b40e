import MeshCompiler

/// Where a command runs.
public struct ContainerPlace: Hashable, Sendable {
  public var namespace: String
  public var pod: String
  public var container: String

  public init(namespace: String, pod: String, container: String) {
    self.namespace = namespace
    self.pod = pod
    self.container = container
  }
}

/// What a command in a container wrote, and how it ended.
public struct CommandOutput: Hashable, Sendable {
  public var exitCode: Int
  public var output: [UInt8]
  public var error: [UInt8]

  public init(exitCode: Int, output: [UInt8] = [], error: [UInt8] = []) {
    self.exitCode = exitCode
    self.output = output
    self.error = error
  }
}

/// The messages of one command, version 4 of the channel protocol: the first byte of each says
/// which stream it belongs to, and the last of them how the command ended.
struct CommandTranscript {
  private enum Stream: UInt8 {
    case input, output, error, status
  }

  private let limit: Int
  private var output: [UInt8] = []
  private var error: [UInt8] = []
  private var status: [UInt8] = []
  /// Of the message that came last, for the pieces that follow it.
  private var stream: Stream?

  init(limit: Int = Limit.commandBytes) { self.limit = limit }

  /// Takes a piece of a message; the whole once the command has ended.
  mutating func take(
    _ bytes: [UInt8], isContinuation: Bool, isFinal: Bool
  ) throws(KubernetesError) -> CommandOutput? {
    var rest = bytes[...]
    if !isContinuation {
      guard let first = rest.popFirst() else { return nil }
      guard let stream = Stream(rawValue: first) else {
        throw .malformed(reason: "channel \(first) of a command")
      }
      self.stream = stream
    }
    guard output.count + error.count + status.count + rest.count <= limit else {
      throw .tooLarge(limit: limit)
    }
    switch stream {
    case .output: output += rest
    case .error: error += rest
    case .status:
      status += rest
      if isFinal, !status.isEmpty { return try ended() }
    case .input, nil: break
    }
    return nil
  }

  private func ended() throws(KubernetesError) -> CommandOutput {
    let value: ManifestValue
    do throws(JSONProblem) {
      value = try JSONReader.value(status)
    } catch {
      throw .malformed(reason: "the end of a command: \(error.message)")
    }
    if value["status"]?.text == "Success" {
      return CommandOutput(exitCode: 0, output: output, error: error)
    }
    let causes = value["details"]?["causes"]?.items ?? []
    let code = causes.first { $0["reason"]?.text == "ExitCode" }?["message"]?.text
    guard value["reason"]?.text == "NonZeroExitCode", let code = code.flatMap({ Int($0) }) else {
      throw .status(APIStatus(value))
    }
    return CommandOutput(exitCode: code, output: output, error: error)
  }
}
