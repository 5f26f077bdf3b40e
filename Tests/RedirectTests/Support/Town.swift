import Glibc
import Linux
import MeshModel
import Redirect
import Synchronization
import Testing

/// A namespace of the town with its addresses.
struct House: ~Copyable, Sendable {
  let namespace: NetworkNamespace
  let v4: IPAddress
  let v6: IPAddress

  var path: String { "/proc/\(CurrentProcess.id)/fd/\(namespace.number)" }

  /// A fresh namespace that has taken over these addresses.
  static func nested(_ v4: IPAddress, _ v6: IPAddress) throws -> House {
    House(namespace: try NetworkNamespace.make(), v4: v4, v6: v6)
  }

  func address(_ family: Family) -> String { family == .v4 ? "\(v4)" : "\(v6)" }
}

enum Family: String, CaseIterable, Sendable, CustomTestStringConvertible {
  case v4 = "IPv4"
  case v6 = "IPv6"

  var testDescription: String { rawValue }
}

/// A small world for one suite or test: a node with a bridge, and three houses on it.
///
///     host 10.77.0.1 ── bridge ─┬─ pod  10.77.0.2   to be enrolled
///                               ├─ peer 10.77.0.3   serves port 9000, sniffs
///                               └─ bare 10.77.0.4   as the pod, but never enrolled: the control
///
/// The namespaces have no names and end with the process. IPv6 is fd77::1 to fd77::4.
final class Town: Sendable {
  @TaskLocal static var current: Town?

  let host, pod, peer, bare: House
  let redirection: Redirection
  let node: String
  let groups: Groups
  /// The kept copies of the listeners: while they live, no connection is refused.
  let listeners = Mutex<[SharedDescriptor]>([])
  private let sniffer = Mutex<Program?>(nil)
  private let nextPort = Atomic<Int>(50_000)
  private let programs = Mutex<[Program]>([])

  /// One cgroup for each kind of program.
  struct Groups: Sendable {
    let all, agent, pod, other, prober: ControlGroup

    init(_ name: String) throws {
      all = try ControlGroup.root().make(name)
      agent = try all.make("agent")
      pod = try all.make("pod")
      other = try all.make("other")
      prober = try all.make("prober")
    }

    /// Kills what is left and removes the groups.
    func remove() throws {
      try all.kill()
      for group in [agent, pod, other, prober, all] {
        for _ in 0..<200 where try group.remove() == .busy { usleep(5_000) }
      }
    }
  }

  static var uid: String { "shop/pod.0" }
  private static let serial = Atomic<Int>(0)

  init(_ attachment: EgressHook = .tcx) throws {
    let number = Town.serial.add(1, ordering: .relaxed).newValue
    let name = "skein-redirect-test-\(CurrentProcess.id)-\(number)"
    node = name
    groups = try Groups(name)
    host = try Town.house(1)
    pod = try Town.house(2)
    peer = try Town.house(3)
    bare = try Town.house(4)
    redirection = try Redirection(node: name, attachment: attachment)
    do {
      try lay()
      try redirection.allowAgentCgroup(groups.agent.id)
      try start("serve.py", ["9000"], in: peer.namespace, groups.other)
      try start("serve.py", ["8080"], in: pod.namespace, groups.pod)
    } catch {
      try tearDown()
      throw error
    }
  }

  /// Ends everything; throws when something of ours is left.
  func tearDown() throws {
    programs.withLock { $0.removeAll() }
    sniffer.withLock { $0 = nil }
    listeners.withLock { $0.removeAll() }
    let left = try Redirection.uninstall(node: node)
    try groups.remove()
    try #require(left == [])
  }

  var podRedirection: PodRedirection {
    PodRedirection(uid: Town.uid, addresses: [pod.v4, pod.v6], namespacePath: pod.path)
  }

  /// Starts a stand-in for ztunnel and enrols the pod with its listeners.
  @discardableResult func enrol(_ arguments: [String] = []) throws -> StandIn {
    let standIn = try StandIn(arguments, town: self)
    programs.withLock { $0.append(standIn.program) }
    try redirection.enrol(
      podRedirection, namespace: pod.namespace, listeners: standIn.podListeners)
    return standIn
  }

  /// Starts a program that lives as long as the town, once it is ready.
  @discardableResult func start(
    _ file: String, _ arguments: [String], in namespace: borrowing NetworkNamespace,
    _ group: ControlGroup
  ) throws -> Program {
    let program = try Program(file, arguments, in: namespace, group: group)
    _ = try program.line { $0.ready == true }
    programs.withLock { $0.append(program) }
    return program
  }

  /// Closes the kept copies: with the process, the listeners are gone.
  func dropListeners() { listeners.withLock { $0 = [] } }

  var keptListeners: [SharedDescriptor] { listeners.withLock(\.self) }

  /// Runs a shell command in a namespace; throws when it fails.
  func shell(_ command: String, in namespace: borrowing NetworkNamespace) throws {
    let program = try Program(
      path: "/bin/sh", ["-e", "-c", command], in: namespace, group: groups.other)
    try program.finish()
  }

  /// Lets the application of the pod dial.
  func dial(
    _ address: String, _ port: Int, _ options: [String] = [], from house: borrowing House,
    group: ControlGroup? = nil
  ) throws -> Report {
    let program = try Program(
      "dial.py", [address, "\(port)"] + options, in: house.namespace, group: group ?? groups.pod)
    return try program.line()
  }

  /// A source port nobody used before, which the sniffer knows by its range.
  func freshPort() -> Int { nextPort.add(1, ordering: .relaxed).oldValue }

  /// What arrived at the peer from the pod or the bare house since the last call.
  ///
  /// Connections from ports below 50 000, the stand-in's own, count only by their payload.
  @discardableResult func sniffed() throws -> [String] {
    let running = try sniffer.withLock { running in
      if let running { return running }
      let program = try Program(
        "sniff.py", ["eth0", "\(pod.v4)", "\(pod.v6)", "\(bare.v4)", "\(bare.v6)"],
        in: peer.namespace, group: groups.other)
      _ = try program.line()
      running = program
      return program
    }
    try running.send(.user1)
    return try #require(try running.line().matches)
  }

  private static func house(_ number: UInt32) throws -> House {
    House(
      namespace: try NetworkNamespace.make(), v4: .v4(0x0a4d_0000 + number),
      v6: .v6(high: 0xfd77_0000_0000_0000, low: UInt64(number)))
  }

  /// Wires the houses to the bridge.
  private func lay() throws {
    try shell(
      """
      for hook in /proc/sys/net/bridge/bridge-nf-call-ip*tables; do
        if [ -e $hook ]; then echo 0 > $hook; fi
      done
      ip link set lo up; ip link add bridge type bridge mcast_snooping 0; ip link set bridge up
      ip address add \(host.v4)/24 dev bridge; ip address add \(host.v6)/64 dev bridge nodad
      """, in: host.namespace)
    try connect(pod, "pod")
    try connect(peer, "peer")
    try connect(bare, "bare")
  }

  private func connect(_ house: borrowing House, _ name: String) throws {
    try shell(
      "ip link add \(name) type veth peer name eth0 netns \(house.path); "
        + "ip link set \(name) master bridge up", in: host.namespace)
    try shell(
      """
      ip link set lo up; ip link set eth0 up
      ip address add \(house.v4)/24 dev eth0; ip address add \(house.v6)/64 dev eth0 nodad
      sysctl -qw net.ipv4.ip_local_port_range='32768 49999'
      ip route add default via \(host.v4); ip -6 route add default via \(host.v6)
      """, in: house.namespace)
  }
}

/// Runs `body` in a town of its own.
func withTown(_ attachment: EgressHook = .tcx, _ body: (Town) throws -> Void) throws {
  let town = try Town(attachment)
  do {
    try body(town)
  } catch {
    try town.tearDown()
    throw error
  }
  try town.tearDown()
}

/// Gives a suite one town, made before its first test and ended after its last.
struct TownTrait: SuiteTrait, TestScoping {
  var attachment: EgressHook

  @concurrent @Sendable func provideScope(
    for test: Test, testCase: Test.Case?,
    performing function: @concurrent @Sendable () async throws -> Void
  ) async throws {
    let town = try Town(attachment)
    do {
      try town.enrol()
      try await Town.$current.withValue(town) { try await function() }
    } catch {
      try town.tearDown()
      throw error
    }
    try town.tearDown()
  }
}

extension Trait where Self == TownTrait {
  /// A town whose pod is enrolled.
  static func town(_ attachment: EgressHook = .tcx) -> Self { TownTrait(attachment: attachment) }
}
