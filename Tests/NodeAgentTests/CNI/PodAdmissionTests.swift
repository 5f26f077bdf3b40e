import CNI
import MeshCompiler
import MeshModel
import Testing

@testable import NodeAgent

private func address(_ text: String) -> IPAddress {
  guard let address = IPAddress(text) else { preconditionFailure("\(text) is no address") }
  return address
}

private let own = address("10.0.0.7")
private let former = address("10.0.0.3")

private func placement(
  _ enrolment: Enrolment, uid: String = "u", node: String = "a", path: String? = nil,
  addresses: [IPAddress] = []
) -> PodPlacement {
  PodPlacement(
    uid: uid, workloadUID: "w", namespace: "shop", name: "web", node: node,
    networkNamespace: path, addresses: addresses,
    identity: SPIFFEID(trustDomain: "t", namespace: "shop", serviceAccount: "web"),
    enrolment: enrolment)
}

private func call(former: [IPAddress] = []) -> CalledPod {
  CalledPod(
    containerID: "c", path: "/run/netns/x", inode: 7, addresses: [own], formerAddresses: former)
}

private func calls(_ call: CalledPod, of uid: String = "u") -> CalledPods {
  var calls = CalledPods()
  let isNoted = calls.note(call, of: uid, placed: [])
  #expect(isNoted)
  return calls
}

private let pod = CNI.Pod(namespace: "shop", name: "web", uid: "u")

@Suite struct `What a runtime said of a pod` {
  @Test func `completes a placement that says less`() {
    let calls = calls(call())
    let bare = calls.completed(placement(.notEnrolled(.noAddress)))
    #expect(bare.networkNamespace == "/run/netns/x" && bare.addresses == [own])
    #expect(bare.enrolment == .enrolled)
    let full = placement(.enrolled, path: "/run/netns/y", addresses: [former])
    #expect(calls.completed(full) == full, "what the pod's status says counts")
    #expect(
      calls.completed(placement(.notEnrolled(.optedOut))).enrolment == .notEnrolled(.optedOut))
  }

  @Test func `counts for as long as the status is that of an earlier sandbox`() {
    let calls = calls(call(former: [former]))
    let old = calls.completed(placement(.enrolled, addresses: [former]))
    #expect(old.addresses == [own])
    let new = calls.completed(placement(.enrolled, addresses: [address("10.0.0.9")]))
    #expect(new.addresses == [address("10.0.0.9")])
  }

  @Test func `is forgotten with the container, and not with an earlier one`() {
    var calls = calls(call())
    let known = ["before", "c", "c"].map { calls.forget(container: $0) }
    #expect(known == [false, true, false] && calls.pods.isEmpty)
  }

  @Test func `is the same when it is read again, where the namespace still is`() throws {
    let calls = calls(call(former: [former, address("fd00::1")]))
    var again = try CalledPods(reading: calls.bytes)
    #expect(again == calls)
    again.keep { $0 == "/run/netns/x" ? 7 : nil }
    #expect(again == calls)
    again.keep { _ in 8 }
    #expect(again.pods.isEmpty)
    for text in ["", "{}", #"{"version":2,"pods":[]}"#, #"{"version":1,"pods":[{}]}"#] {
      #expect(throws: CalledPodsProblem.self) { try CalledPods(reading: Array(text.utf8)) }
    }
  }

  @Test func `is bounded, and what is placed stays`() {
    var calls = CalledPods()
    let uids = (0...Limit.calledPods).map { "\($0)" }
    let all = Set(uids)
    let noted = uids.map { calls.note(call(), of: $0, placed: all) }
    #expect(noted.count { $0 } == Limit.calledPods && noted.last == false)
    let isAgain = calls.note(call(), of: "3", placed: all)
    let isNew = calls.note(call(), of: "new", placed: ["3"])
    #expect(isAgain && isNew)
    #expect(Set(calls.pods.keys) == ["3", "new"])
  }
}

@Suite struct `A pod that a runtime asks about` {
  private func found(
    _ placements: [PodPlacement]?, pod: CNI.Pod = pod, calls: CalledPods = CalledPods()
  ) -> PodFinding {
    finding(of: pod, among: placements, on: "a", calls)
  }

  private func isUnknown(_ finding: PodFinding) -> Bool {
    if case .unknown = finding { true } else { false }
  }

  @Test func `is found by name and uid`() {
    let known = placement(.enrolled, addresses: [own])
    #expect(found([known]) == .wanted(known))
    #expect(found([placement(.notEnrolled(.optedOut))]) == .outside)
    #expect(found([placement(.notEnrolled(.noAddress))]) == .unaddressed)
    #expect(isUnknown(found(nil)) && isUnknown(found([])))
    #expect(isUnknown(found([placement(.enrolled, uid: "before", addresses: [own])])))
    #expect(isUnknown(found([placement(.enrolled, node: "b", addresses: [own])])))
    let nameless = CNI.Pod(namespace: "shop", name: "web", uid: "")
    #expect(found([known], pod: nameless) == .wanted(known))
  }

  @Test func `is found with what its call said`() {
    guard
      case .wanted(let found) = found(
        [placement(.notEnrolled(.noAddress))], calls: calls(call()))
    else { return #expect(Bool(false), "not found") }
    #expect(found.addresses == [own] && found.networkNamespace == "/run/netns/x")
  }

  struct Row: Sendable {
    let finding: PodFinding
    var standing: PodStanding?
    /// Nil: it waits.
    var now: CNIAnswer?
    /// After the wait, in a namespace that is enrolled and in one that is not.
    let later: [CNIAnswer]
  }

  private static let wanted = PodFinding.wanted(placement(.enrolled, addresses: [own]))
  private static let notYet = CNIAnswer.notYet(reason: "r")

  @Test(arguments: [
    Row(finding: .unknown(reason: "r"), later: [notYet, .notOurs]),
    Row(finding: .outside, now: .notOurs, later: [.notOurs, .notOurs]),
    Row(finding: .unaddressed, later: [notYet, notYet]),
    Row(finding: wanted, later: [notYet, notYet]),
    Row(finding: wanted, standing: .underWay(reason: "r"), later: [notYet, notYet]),
    Row(finding: wanted, standing: .captured, now: .enrolled, later: [notYet, notYet]),
    Row(
      finding: wanted, standing: .contradicted(reason: "x"), now: .refused(reason: "x"),
      later: [notYet, notYet]),
  ])
  func `starts when it is captured or none of ours`(row: Row) {
    switch admissionStep(row.finding, row.standing) {
    case .answer(let answer): #expect(answer == row.now)
    case .wait: #expect(row.now == nil)
    }
    #expect(
      row.later
        == [true, false].map {
          answerAfterWait(row.finding, reason: "r", isNamespaceEnrolled: $0)
        })
  }

  @Test func `is answered before the plugin gives up`() {
    #expect(Limit.enrolledPodWait < CNI.Limit.enrolledWait)
    #expect(Limit.otherPodWait < CNI.Limit.otherWait)
    let both = EnrolledNamespaces(known: ["shop", "new"], listed: ["shop", "old"])
    #expect(["shop", "new", "old", "x"].map(both.mayEnrol) == [true, true, false, false])
    #expect(both.wait(for: "shop") == Limit.enrolledPodWait)
    #expect(both.wait(for: "new") == Limit.otherPodWait, "the plugin does not know of it")
    let early = EnrolledNamespaces(known: nil, listed: ["shop"])
    #expect(early.mayEnrol("shop") && !early.mayEnrol("x"))
    #expect(EnrolledNamespaces().mayEnrol("x"), "nobody knows")
  }
}
