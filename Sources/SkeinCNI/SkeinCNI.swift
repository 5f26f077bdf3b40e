import CNI
import Linux

// The chained CNI plugin: asks node-agent whether a new pod may start, and waits for it.
//
// In: the environment and standard input of a CNI call. Out: a result or an error on standard
// output, and the exit status.
// Never here: a decision (`CNI` makes them), a pod's namespace, a program of the kernel.

/// One call of a container runtime, from its environment to its result.
enum Plugin {
  /// The exit status.
  static func run() -> Int32 {
    do throws(Failure) {
      try answer()
      return 0
    } catch {
      // Deletion is never held up, whatever is wrong with the call.
      if error.isDeletion { return 0 }
      return print(error.failure.json(version: error.version)) ? 1 : 2
    }
  }

  /// A failure and what is known of the call it ends.
  struct Failure: Error {
    var failure: CNI.Failure
    var version: String?
    var isDeletion: Bool
  }

  private static func answer() throws(Failure) {
    var known = Failure(failure: .environment(""), version: nil, isDeletion: false)
    do throws(CNI.Failure) {
      let environment = try ownEnvironment()
      let command = try Call.command(in: environment)
      known.isDeletion = command == .delete
      let input = try standardInput()
      if command == .version { return try printVersions(input) }
      let call = try Call(environment: environment, input: input)
      known.version = call.configuration.version
      try perform(call)
    } catch {
      known.failure = error
      throw known
    }
  }

  private static func perform(_ call: Call) throws(CNI.Failure) {
    let configuration = call.configuration
    switch call.command {
    case .add:
      try admit(CNIRequest(.add, call), call)
      if let result = configuration.previousResult, !print(result) {
        throw .input("standard output is closed")
      }
    case .check:
      try admit(CNIRequest(.check, call), call)
    case .delete:
      guard call.pod != nil else { return }
      _ = AgentExchange.ask(
        CNIRequest(.delete, call), at: configuration.agentSocket, wait: Limit.deletionWait)
    case .status:
      let reply = AgentExchange.ask(
        CNIRequest(.status, call), at: configuration.agentSocket, wait: Limit.otherWait)
      try Admission.decideStatus(
        reply, listing(of: "", configuration), isOpenWithoutList: configuration.isOpenWithoutList)
    case .collect, .version:
      // What the agent holds it learns from Kubernetes; there is nothing of ours to collect.
      return
    }
  }

  private static func admit(_ request: CNIRequest, _ call: Call) throws(CNI.Failure) {
    guard let pod = call.pod else { return }
    let configuration = call.configuration
    let listing = listing(of: pod.namespace, configuration)
    let reply = AgentExchange.ask(request, at: configuration.agentSocket, wait: listing.wait)
    try Admission.decide(reply, listing, isOpenWithoutList: configuration.isOpenWithoutList)
  }

  private static func listing(of namespace: String, _ configuration: Configuration) -> Listing {
    let path = configuration.enrolledFile
    do {
      let bytes = try File.read(path, atMost: Limit.inputBytes)
      return try EnrolledList(reading: bytes).listing(of: namespace)
    } catch let error as LinuxError {
      return .unreadable(error.description)
    } catch {
      return .unreadable("\(path): \(error)")
    }
  }

  private static func printVersions(_ input: [UInt8]) throws(CNI.Failure) {
    let asked = try VersionAnswer(reading: input)
    if !print(asked.json) { throw .input("standard output is closed") }
  }

  /// Whether somebody took it.
  private static func print(_ json: JSONValue) -> Bool {
    do throws(LinuxError) {
      try StandardOutput.write("\(json)\n")
      return true
    } catch {
      CurrentProcess.writeError("skein-cni: \(error)")
      return false
    }
  }

  private static func ownEnvironment() throws(CNI.Failure) -> [String] {
    do throws(LinuxError) {
      let text = try File.readText("/proc/self/environ", atMost: Limit.environmentBytes)
      return text.split(separator: "\0").map(String.init)
    } catch {
      throw .environment(error.description)
    }
  }

  private static func standardInput() throws(CNI.Failure) -> [UInt8] {
    do throws(LinuxError) {
      return try StandardInput.read(atMost: Limit.inputBytes, within: Limit.inputWait)
    } catch {
      throw .input(error.description)
    }
  }
}
