import CLinux
import Glibc

/// A program to start.
///
/// Its standard input is /dev/null, no signal is blocked or handled, and no descriptor reaches it but
/// the standard three and those named here. It outlives us: nothing ties it to its parent.
public struct ChildProcess: Sendable {
  public var path: String
  /// Those after the program's own name.
  public var arguments: [String]
  /// `NAME=value` each; nothing is inherited.
  public var environment: [String]
  /// The group the program is born into; nil: ours.
  public var controlGroup: ControlGroup?
  /// Nil: ours.
  public var standardOutput: CInt?
  /// Nil: ours.
  public var standardError: CInt?
  /// Descriptors of ours by the numbers they shall have there, 3 and up.
  public var descriptors: [CInt: CInt]
  /// Whether it leaves our session, so that a terminal's signals do not reach it.
  public var startsSession = true

  public init(
    path: String, arguments: [String] = [], environment: [String] = [],
    controlGroup: ControlGroup? = nil, standardOutput: CInt? = nil, standardError: CInt? = nil,
    descriptors: [CInt: CInt] = [:]
  ) {
    self.path = path
    self.arguments = arguments
    self.environment = environment
    self.controlGroup = controlGroup
    self.standardOutput = standardOutput
    self.standardError = standardError
    self.descriptors = descriptors
  }

  /// Starts the program; the error names the step that failed, in the child as well.
  public func spawn() throws(LinuxError) -> ProcessHandle {
    guard let controlGroup else { return try spawn(into: -1) }
    let directory = try controlGroup.openDirectory()
    return try spawn(into: directory.number)
  }

  private func spawn(into groupNumber: CInt) throws(LinuxError) -> ProcessHandle {
    let null = try check("open", "/dev/null") { unsafe clinux_open("/dev/null", O_RDONLY, 0) }
    let input = OwnedDescriptor(adopting: null)
    var targets: [CInt] = [0, 1, 2]
    var sources: [CInt] = [input.number, standardOutput ?? 1, standardError ?? 2]
    for (target, source) in descriptors {
      precondition(target > 2, "descriptor \(target) of a child has a name of its own")
      targets.append(target)
      sources.append(source)
    }
    let argumentTexts = CStrings([path] + arguments)
    let environmentTexts = CStrings(environment)
    var pidfd: CInt = -1
    var stage: UnsafePointer<CChar>? = nil
    let processID = unsafe targets.withUnsafeBufferPointer { targets in
      unsafe sources.withUnsafeBufferPointer { sources in
        unsafe path.withCString { path in
          var request = unsafe clinux_spawn()
          unsafe request.path = path
          unsafe request.arguments = UnsafePointer(argumentTexts.pointers)
          unsafe request.environment = UnsafePointer(environmentTexts.pointers)
          unsafe request.control_group = groupNumber
          unsafe request.starts_session = startsSession ? 1 : 0
          unsafe request.sources = sources.baseAddress
          unsafe request.targets = targets.baseAddress
          unsafe request.descriptor_count = CInt(targets.count)
          return unsafe clinux_spawn(&request, &pidfd, &stage)
        }
      }
    }
    let failure = errno
    withExtendedLifetime((argumentTexts, environmentTexts)) {}
    if processID < 0 {
      let step = unsafe stage.map { unsafe String(cString: $0) } ?? "clone3"
      throw LinuxError(call: step, errno: failure, subject: path)
    }
    return ProcessHandle(processID: processID, descriptor: OwnedDescriptor(adopting: pidfd))
  }
}

/// A null-terminated array of C strings.
///
/// Safe because it alone holds and frees the copies.
@safe private final class CStrings {
  let pointers: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>
  private let count: Int

  init(_ texts: [String]) {
    count = texts.count
    unsafe pointers = .allocate(capacity: texts.count + 1)
    for (index, text) in texts.enumerated() {
      guard let copy = unsafe strdup(text) else { preconditionFailure("no memory for \(text)") }
      unsafe (pointers + index).initialize(to: copy)
    }
    unsafe (pointers + texts.count).initialize(to: nil)
  }

  deinit {
    for index in 0..<count { unsafe free(pointers[index]) }
    unsafe pointers.deallocate()
  }
}
