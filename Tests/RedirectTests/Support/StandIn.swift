import Linux
import Redirect
import Synchronization
import Testing

/// A process that does for one pod what ztunnel does, without tunnels: see `Programs/standin.py`.
///
/// The town keeps copies of its listeners, as the node agent does.
final class StandIn: Sendable {
  let program: Program
  private let control: Socket

  /// With `adopts` it takes over the listeners the town keeps, instead of making its own.
  init(_ arguments: [String] = [], adopts: Bool = false, town: Town) throws {
    let started = Mutex<Program?>(nil)
    control = try UnixSocket.pair().separate { ours, theirs in
      let program = try Program(
        "standin.py", arguments + (adopts ? ["--adopt"] : []), in: town.pod.namespace,
        group: town.groups.agent, control: theirs.number)
      started.withLock { $0 = program }
      return ours
    }
    let begun = started.withLock { $0 }
    program = try #require(begun)
    let kept = town.listeners.withLock(\.self)
    if adopts { try StandIn.give(kept, to: control) }
    let listeners = try StandIn.takeListeners(from: control)
    town.listeners.withLock { $0 = listeners }
    numbers = listeners.map(\.number)
    _ = try program.line { $0.ready == true }
  }

  /// The kept copies' numbers.
  let numbers: [CInt]

  var podListeners: PodListeners {
    get throws { try #require(PodListeners(numbers)) }
  }

  /// The next connection it accepted of this kind.
  func connection(_ kind: String) throws -> Report {
    try program.line { $0.kind == kind }
  }

  /// The listeners that come with the next frame: six, or three without IPv6.
  func takeListeners() throws -> [SharedDescriptor] {
    try StandIn.takeListeners(from: control)
  }

  static func takeListeners(
    from control: borrowing Socket
  ) throws -> [SharedDescriptor] {
    var reader = FrameReader()
    while true {
      switch try reader.read(from: control) {
      case .frame(var frame):
        var listeners: [SharedDescriptor] = []
        while let descriptor = frame.descriptors.takeFirst() {
          listeners.append(SharedDescriptor(descriptor))
        }
        return listeners
      case .wouldBlock:
        try #require(poll(number: control.number, timeout: .seconds(8)), "no listeners came")
      case .endOfFile:
        throw ProgramError.silent(program: "standin.py", after: .zero)
      }
    }
  }

  private static func give(
    _ listeners: [SharedDescriptor], to control: borrowing Socket
  ) throws {
    var descriptors = DescriptorList()
    for listener in listeners { try descriptors.append(copying: listener.descriptor) }
    var writer = FrameWriter()
    try writer.enqueue([0].span, descriptors: descriptors)
    _ = try writer.flush(to: control)
  }
}
