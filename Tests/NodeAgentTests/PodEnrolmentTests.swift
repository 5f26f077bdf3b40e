import MeshModel
import Testing

@testable import NodeAgent

private func seconds(_ seconds: Int64) -> Instant {
  Instant(nanoseconds: 0) + .seconds(seconds)
}

/// Feeds events at second 0 and answers the actions of the last one.
private func after(
  _ events: [PodEnrolment.Event], connected: Bool = true
) -> (PodEnrolment, [PodEnrolment.Action]) {
  var enrolment = PodEnrolment(isTunnelConnected: connected)
  var actions: [PodEnrolment.Action] = []
  for event in events { actions = enrolment.on(event, at: seconds(0)) }
  return (enrolment, actions)
}

private let toServed: [PodEnrolment.Event] = [.start, .namespaceOpened, .agreed, .listening]
private let toEnrolled = toServed + [PodEnrolment.Event.redirected, .proven]

@Suite struct `A pod's way into the mesh` {
  struct Row: CustomTestStringConvertible, Sendable {
    let says: String
    let events: [PodEnrolment.Event]
    let state: String
    let actions: [PodEnrolment.Action]
    var testDescription: String { says }
  }

  static let rows = [
    Row(
      says: "starts with its namespace", events: [.start], state: "waiting",
      actions: [.openNamespace]),
    Row(
      says: "is looked at before ztunnel may act for it", events: [.start, .namespaceOpened],
      state: "waiting", actions: [.inspect]),
    Row(
      says: "asks ztunnel to listen when everything agrees",
      events: [.start, .namespaceOpened, .agreed], state: "listening", actions: [.serve]),
    Row(
      says: "is never served when something contradicts it from the start",
      events: [.start, .namespaceOpened, .contradicted(reason: "other address")], state: "closed",
      actions: []),
    Row(
      says: "is redirected only when ztunnel listens",
      events: [.start, .namespaceOpened, .agreed, .listening], state: "listening",
      actions: [.redirect]),
    Row(
      says: "is not enrolled before the proof",
      events: [.start, .namespaceOpened, .agreed, .listening, .redirected], state: "proving",
      actions: [.prove]),
    Row(
      says: "stays enrolled when its processes are gone from sight",
      events: toEnrolled + [.unwitnessed], state: "enrolled", actions: []),
    Row(says: "is enrolled by the proof", events: toEnrolled, state: "enrolled", actions: []),
    Row(
      says: "fails without a namespace", events: [.start, .namespaceRefused(reason: "no")],
      state: "failed", actions: []),
    Row(
      says: "is closed, still served, when the canary fails",
      events: toEnrolled + [.disproven(reason: "no answer")], state: "closed", actions: []),
    Row(
      says: "is closed and served by nobody when something contradicts it",
      events: toEnrolled + [.contradicted(reason: "other address")], state: "closed",
      actions: [.unserve, .dropListeners]),
    Row(
      says: "stays enrolled while ztunnel is away", events: toEnrolled + [.tunnelLost],
      state: "enrolled", actions: []),
    Row(
      says: "is given to the next ztunnel",
      events: toEnrolled + [.tunnelLost, .tunnelConnected(serves: false)], state: "enrolled",
      actions: [.serve]),
    Row(
      says: "is proven again with the next ztunnel's listeners",
      events: toEnrolled + [.tunnelLost, .tunnelConnected(serves: false), .listening, .redirected],
      state: "enrolled", actions: [.prove]),
    Row(
      says: "is looked at before a new ztunnel may act for it, when closed",
      events: toEnrolled + [
        .contradicted(reason: "x"), .tunnelLost, .tunnelConnected(serves: false),
      ], state: "closed", actions: [.inspect]),
    Row(
      says: "is served again once everything agrees",
      events: toEnrolled + [.contradicted(reason: "x"), .agreed], state: "closed",
      actions: [.serve]),
    Row(
      says: "lets everything go when its namespace is gone", events: toEnrolled + [.namespaceGone],
      state: "waiting", actions: [.unserve, .closeNamespace, .releaseRedirection]),
    Row(
      says: "is let go by ztunnel before its redirection", events: toEnrolled + [.release],
      state: "releasing", actions: [.unserve]),
    Row(
      says: "is released when ztunnel holds nothing",
      events: toEnrolled + [.release, .tunnelReleased],
      state: "releasing", actions: [.releaseRedirection, .closeNamespace, .forget]),
    Row(
      says: "is released at once without a ztunnel", events: toEnrolled + [.tunnelLost, .release],
      state: "enrolled", actions: [.releaseRedirection, .closeNamespace, .forget]),
    Row(
      says: "waits for its connections, and takes tunnels meanwhile",
      events: toServed + [.occupied(reason: "2 connections")], state: "waiting", actions: []),
    Row(
      says: "is served on while its connections end",
      events: toEnrolled + [.drain(until: seconds(60)), .proven, .listening, .tick],
      state: "draining", actions: []),
    Row(
      says: "is let go when its connections have ended",
      events: toEnrolled + [.drain(until: seconds(60)), .drained], state: "releasing",
      actions: [.unserve]),
    Row(
      says: "is let go at once when it is told so while its connections end",
      events: toEnrolled + [.drain(until: seconds(60)), .release], state: "releasing",
      actions: [.unserve]),
    Row(
      says: "is released when the ztunnel of its connections is lost",
      events: toEnrolled + [.drain(until: seconds(60)), .tunnelLost], state: "draining",
      actions: [.releaseRedirection, .closeNamespace, .forget]),
    Row(
      says: "is let go by ztunnel first when its namespace is gone while its connections end",
      events: toEnrolled + [.drain(until: seconds(60)), .namespaceGone], state: "releasing",
      actions: [.unserve]),
    Row(
      says: "is captured again when it is wanted again while its connections end",
      events: toEnrolled + [.drain(until: seconds(60)), .takenBack], state: "proving",
      actions: [.redirect]),
    Row(
      says: "hears of no proof on its way out", events: toEnrolled + [.release, .proven],
      state: "releasing", actions: []),
  ]

  /// What a ztunnel serves for a node agent that was killed.
  static let inherited: [Row] = [
    Row(
      says: "goes on until it is looked at", events: [.listening, .start], state: "listening",
      actions: [.openNamespace]),
    Row(
      says: "is cut by nobody before that", events: [.start, .listening], state: "listening",
      actions: []),
    Row(
      says: "is taken over when everything agrees",
      events: [.start, .listening, .namespaceOpened, .agreed], state: "listening",
      actions: [.redirect]),
    Row(
      says: "is taken over when the listeners come late",
      events: [.start, .namespaceOpened, .agreed, .listening], state: "listening",
      actions: [.redirect]),
    Row(
      says: "is given a second look when no process is seen",
      events: [.start, .listening, .namespaceAbsent(reason: "none")], state: "waiting",
      actions: []),
    Row(
      says: "ends when no process is seen twice",
      events: [
        .start, .listening, .namespaceAbsent(reason: "none"), .namespaceAbsent(reason: "none"),
      ], state: "waiting", actions: [.unserve]),
    Row(
      says: "ends when the namespace is not the pod's",
      events: [.start, .listening, .namespaceRefused(reason: "no")], state: "failed",
      actions: [.unserve]),
    Row(
      says: "ends when something contradicts it",
      events: [.start, .listening, .namespaceOpened, .contradicted(reason: "x")],
      state: "closed", actions: [.unserve, .dropListeners]),
    Row(
      says: "is no more after its ztunnel",
      events: [.start, .tunnelLost, .tunnelConnected(serves: false), .listening],
      state: "waiting", actions: [.unserve]),
  ]

  @Test(arguments: inherited) func `is not cut by a node agent that starts`(row: Row) {
    let (enrolment, actions) = after([.tunnelConnected(serves: true)] + row.events)
    #expect(enrolment.state.name == row.state)
    #expect(actions == row.actions)
  }

  @Test func `stays proving until a process of it was seen`() {
    var (enrolment, _) = after(toEnrolled.dropLast() + [.unwitnessed])
    #expect(enrolment.state == .proving)
    #expect(enrolment.on(.tick, at: seconds(2)) == [.prove], "asked for again soon")
    #expect(enrolment.on(.proven, at: seconds(3)).isEmpty && enrolment.state == .enrolled)
  }

  @Test func `looks again in a second whether its connections have ended`() {
    var (enrolment, _) = after(toServed + [.occupied(reason: "2 connections")])
    #expect(enrolment.state == .waiting(reason: "waiting: 2 connections"))
    #expect(enrolment.mayHoldIdentity)
    #expect(enrolment.on(.tick, at: seconds(0)).isEmpty)
    #expect(enrolment.on(.tick, at: seconds(1)) == [.redirect])
    #expect(enrolment.on(.redirected, at: seconds(1)) == [.prove])
  }

  @Test func `drains only while it is captured and served`() {
    #expect(after(toEnrolled).0.mayDrain)
    #expect(!after(toEnrolled + [.tunnelLost]).0.mayDrain)
    #expect(!after(toEnrolled + [.contradicted(reason: "x")]).0.mayDrain)
    #expect(!after(Array(toEnrolled.prefix(4))).0.mayDrain)
    let draining = after(toEnrolled + [.drain(until: seconds(60))]).0
    #expect(draining.mayHoldIdentity)
    #expect(!draining.hasDrained(for: .seconds(5), at: seconds(4)))
    #expect(draining.hasDrained(for: .seconds(5), at: seconds(5)))
  }

  @Test(arguments: rows) func `takes the steps in order`(row: Row) {
    let (enrolment, actions) = after(row.events)
    #expect(enrolment.state.name == row.state)
    #expect(actions == row.actions)
  }

  @Test func `waits longer each time for a pod of which nothing runs, and eight seconds at most`() {
    var enrolment = PodEnrolment(isTunnelConnected: true)
    var now = seconds(0)
    #expect(enrolment.on(.start, at: now) == [.openNamespace])
    for wait in [250, 500, 1_000, 2_000, 4_000, 8_000, 8_000] {
      #expect(enrolment.on(.namespaceAbsent(reason: "no process"), at: now).isEmpty)
      #expect(enrolment.state == .waiting(reason: "no process"))
      let early = now + .milliseconds(wait - 1)
      #expect(enrolment.on(.tick, at: early).isEmpty)
      now = now + .milliseconds(wait)
      #expect(enrolment.on(.tick, at: now) == [.openNamespace])
    }
    #expect(enrolment.on(.namespaceOpened, at: now) == [.inspect])
  }

  @Test func `waits for a ztunnel that is not there yet`() {
    var (enrolment, actions) = after([.start, .namespaceOpened, .agreed], connected: false)
    #expect(actions.isEmpty)
    #expect(enrolment.state == .waiting(reason: "ztunnel is not connected"))
    #expect(enrolment.on(.tunnelConnected(serves: false), at: seconds(1)) == [.inspect])
    #expect(enrolment.on(.agreed, at: seconds(1)) == [.serve])
  }

  @Test func `takes over what a living ztunnel already serves`() {
    var (enrolment, _) = after([.start, .namespaceOpened, .agreed], connected: false)
    #expect(enrolment.on(.tunnelConnected(serves: true), at: seconds(0)).isEmpty)
    #expect(enrolment.on(.listening, at: seconds(0)) == [.redirect])
  }

  @Test func `repeats the proof every thirty seconds`() {
    var (enrolment, _) = after(toEnrolled)
    #expect(enrolment.on(.tick, at: seconds(29)).isEmpty)
    #expect(enrolment.on(.tick, at: seconds(30)) == [.prove])
  }

  @Test func `tries again two seconds after a failure`() {
    var (enrolment, _) = after([.start, .namespaceRefused(reason: "no")])
    #expect(enrolment.on(.tick, at: seconds(1)).isEmpty)
    #expect(enrolment.on(.tick, at: seconds(2)) == [.openNamespace])
  }

  @Test func `says so when ztunnel does not listen`() {
    var (enrolment, _) = after([.start, .namespaceOpened, .agreed])
    #expect(enrolment.on(.tick, at: seconds(5)).isEmpty)
    #expect(enrolment.state.name == "failed")
    #expect(enrolment.on(.tick, at: seconds(7)) == [.inspect])
  }

  @Test func `does not wait for ever for a ztunnel that does not let go`() {
    var (enrolment, _) = after(toEnrolled + [.release])
    #expect(enrolment.on(.tick, at: seconds(1)).isEmpty)
    #expect(
      enrolment.on(.tick, at: seconds(2)) == [.releaseRedirection, .closeNamespace, .forget])
  }

  @Test func `may hold a certificate only while nothing contradicts it`() {
    #expect(after(toEnrolled).0.mayHoldIdentity)
    #expect(!after([.start, .namespaceOpened]).0.mayHoldIdentity)
    #expect(!after([.start, .namespaceOpened, .contradicted(reason: "x")]).0.mayHoldIdentity)
    #expect(!after(toEnrolled + [.contradicted(reason: "x")]).0.mayHoldIdentity)
    #expect(after(toEnrolled + [.disproven(reason: "x")]).0.mayHoldIdentity)
    #expect(!after(toEnrolled + [.release]).0.mayHoldIdentity)
  }
}

@Suite struct `A pod that comes back while it is released` {
  static func pod(_ address: UInt32) -> DesiredPod {
    DesiredPod(
      uid: "u", workloadUID: "w", namespace: "shop", name: "web", networkNamespace: "/run/netns/x",
      addresses: [.v4(address)],
      identity: SPIFFEID(trustDomain: "t", namespace: "s", serviceAccount: "a"))
  }

  @Test func `comes back as it was described last`() {
    var entry = Enroller.Entry(
      pod: Self.pod(1), enrolment: after(toEnrolled + [.release]).0, epoch: 1)
    entry.successor = Self.pod(2)
    entry.describe(as: Self.pod(3))
    #expect(entry.pod == Self.pod(1))
    #expect(entry.successor == Self.pod(3))
  }

  @Test func `is described anew in place otherwise`() {
    var entry = Enroller.Entry(pod: Self.pod(1), enrolment: after(toEnrolled).0, epoch: 1)
    entry.describe(as: Self.pod(3))
    #expect(entry.pod == Self.pod(3))
    #expect(entry.successor == nil)
  }
}

@Suite struct `Changes of addresses` {
  @Test func `wait once for each pod, until somebody looks`() {
    var unhandled = AddressWatch.Unhandled()
    #expect(unhandled.add(["a", "b", "a"]) == ["a", "b"])
    #expect(unhandled.add(["a", "c"]) == ["c"])
    unhandled.remove("a")
    #expect(unhandled.add(["a", "b"]) == ["a"])
  }
}

@Suite struct `Canary reports` {
  @Test func `are kept for those that wait, and for nobody else`() {
    var reports = CanaryReports()
    for nonce: UInt64 in 0..<1_000 { reports.arrived(nonce, in: "flood") }
    #expect(reports == CanaryReports())
    reports.expect(7)
    #expect(reports.pod(of: 7) == nil)
    reports.arrived(7, in: "pod")
    #expect(reports.pod(of: 7) == "pod")
    reports.forget(7)
    #expect(reports == CanaryReports())
  }
}

@Suite struct `The number of a generation` {
  @Test(arguments: [(0, 0, 1), (3, 9, 10), (9, 3, 10), (5, UInt64.max, 6), (5, 1 << 62, 6)])
  func `is above both, unless nobody can have counted that far`(
    own: UInt64, held: UInt64, next: UInt64
  ) {
    #expect(ModelKeeper.generation(after: own, held) == next)
  }
}

@Suite struct `Proof inputs` {
  static func inputs(
    inode: UInt64 = 7, objections: [String] = [], cgroup: String = "/pods/a"
  ) -> ProofInputs {
    ProofInputs(
      pod: DesiredPod(
        uid: "u", workloadUID: "w", namespace: "shop", name: "web",
        networkNamespace: "/run/netns/x",
        addresses: [], identity: SPIFFEID(trustDomain: "t", namespace: "s", serviceAccount: "a")),
      namespaceInode: inode, nodeNamespaceInode: 1, titlesByNamespace: [9: "shop/api"],
      objections: objections, processes: [PodProcess(processID: 5, cgroup: cgroup)],
      ztunnelCgroup: "/skein/a/ztunnel")
  }

  @Test func `agree when nothing speaks against them`() {
    #expect(contradiction(in: Self.inputs()) == nil)
  }

  @Test func `refuse the node's own namespace`() {
    #expect(contradiction(in: Self.inputs(inode: 1)) == .nodeNamespace(path: "/run/netns/x"))
  }

  @Test func `refuse a namespace another pod has`() {
    #expect(
      contradiction(in: Self.inputs(inode: 9)) == .sharedNamespace(inode: 9, with: "shop/api"))
  }

  @Test func `refuse what the redirection objects to`() {
    #expect(
      contradiction(in: Self.inputs(objections: ["no address"]))
        == .redirection(objections: ["no address"]))
  }

  @Test func `refuse a process whose packets would pass`() {
    for cgroup in ["/skein/a/ztunnel", "/skein/a/ztunnel/child"] {
      let process = PodProcess(processID: 5, cgroup: cgroup)
      #expect(contradiction(in: Self.inputs(cgroup: cgroup)) == .processPasses(process))
    }
    #expect(contradiction(in: Self.inputs(cgroup: "/skein/a/ztunnel2")) == nil)
  }

  @Test func `run eight at a time, each pod once`() {
    var queue = ProvingQueue()
    for number in 0..<20 { queue.add("\(number % 10)", at: seconds(Int64(number))) }
    var started: [String] = []
    while let next = queue.next() {
      started.append(next.uid)
      #expect(next.askedAt == seconds(Int64(next.uid) ?? -1), "asked for first, not last")
    }
    #expect(started == (0..<8).map(String.init))
    queue.add("0", at: seconds(20))
    queue.finished("1")
    #expect(queue.next()?.uid == "8")
    queue.finished("0")
    #expect(queue.next()?.uid == "9")
    queue.finished("9")
    #expect(queue.next()?.uid == "0")
  }
}
