import AgentProtocol
import Linux
import MeshModel
import Testing

@testable import ZTunnel

@Suite struct `The timers of a worker` {
  @Test func `come up in the order of their moments`() {
    var heap = TimerHeap()
    var state: UInt64 = 7
    var moments: [UInt64] = []
    for token in UInt64(0)..<500 {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      moments.append(state >> 40)
      heap.insert(token, at: Instant(nanoseconds: state >> 40))
    }
    let end = Instant(nanoseconds: .max)
    var order: [UInt64] = []
    while let token = heap.popDue(at: end) { order.append(moments[Int(token)]) }
    #expect(order == moments.sorted())
  }

  @Test func `wait until their moment has come`() {
    var heap = TimerHeap()
    heap.insert(1, at: Instant(nanoseconds: 10))
    let early = heap.popDue(at: Instant(nanoseconds: 9))
    #expect(early == nil)
    #expect(heap.earliest == Instant(nanoseconds: 10))
    let due = heap.popDue(at: Instant(nanoseconds: 10))
    #expect(due == 1)
    #expect(heap.isEmpty)
  }
}

@Suite struct `The slots of a worker` {
  private func worker() throws -> Worker {
    try Worker(number: 0, peers: [WorkerPeer(Mailbox())], control: Mailbox())
  }

  @Test func `an event for a closed handler finds nobody, also when its slot is used again`() throws
  {
    let worker = try worker()
    var slots = SlotTable()
    let first = Handler(worker: worker)
    let second = Handler(worker: worker)
    let old = slots.insert(first)
    #expect(slots.handler(old) === first)
    let removed = slots.remove(old)
    #expect(removed === first)
    let new = slots.insert(second)
    #expect(new & 0xffff_ffff == old & 0xffff_ffff)
    #expect(slots.handler(old) == nil)
    let again = slots.remove(old)
    #expect(again == nil)
    #expect(slots.handler(new) === second)
    #expect(slots.count == 1)
  }

  @Test func `a socket that cannot be watched is closed, and keeps nobody`() throws {
    let worker = try worker()
    let pod = ServedPod(
      PodNamespace(
        pod: Pod(uid: "p", workloadUID: "w", hasListeners: false),
        namespace: try NetworkNamespace.current()))
    // The kernel polls no namespace.
    let socket = Socket(try pod.shared.namespace.descriptor.duplicate())
    let client = AppSocket(socket, in: pod, isClient: true, worker: worker)
    let address = SocketAddress(ip: .v4(0x7f00_0001), port: 1)
    client.setup = OutboundSetup(client, from: address, to: address, in: pod, worker: worker)
    #expect(throws: LinuxError.self) { try client.start() }
    #expect(client.isClosed)
    #expect(client.setup == nil)
    #expect(client.socket?.number == nil)
    #expect(worker.applicationSockets == 0)
    #expect(worker.socketCount == 0)
  }

  @Test func `tokens nobody gave out find nobody`() throws {
    let slots = SlotTable()
    for token: UInt64 in [0, 1, 1 << 32, .max] { #expect(slots.handler(token) == nil) }
  }
}

@Suite struct `The heap` {
  @Test func `is given back once, when a peak has passed`() {
    var watch = MemoryWatch()
    var trims: [Bool] = []
    let second: UInt64 = 1_000_000_000
    func at(_ seconds: UInt64) -> Instant { Instant(nanoseconds: seconds * second) }
    trims.append(watch.shouldTrim(sockets: 10, at: at(1)))
    #expect(!watch.isWatching)
    trims.append(watch.shouldTrim(sockets: 2_000, at: at(2)))
    trims.append(watch.shouldTrim(sockets: 100, at: at(3)))
    trims.append(watch.shouldTrim(sockets: 100, at: at(30)))
    trims.append(watch.shouldTrim(sockets: 100, at: at(60)))
    #expect(trims == [false, false, false, true, false])
  }
}

@Suite struct `The command line` {
  @Test func `names the agent and perhaps the threads`() {
    #expect(Arguments(["--agent", "/run/a"])?.agentPath == "/run/a")
    #expect(Arguments(["--threads", "3", "--agent", "/run/a"])?.threads == 3)
  }

  @Test(arguments: [
    [], ["--agent"], ["--agent", ""], ["--threads", "2"], ["--agent", "a", "--threads", "0"],
    ["--agent", "a", "--threads", "many"], ["--agent", "a", "extra"], ["--unknown", "x"],
  ])
  func `is refused when it says anything else`(words: [String]) {
    #expect(Arguments(words) == nil)
  }
}
