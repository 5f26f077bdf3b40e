import MeshModel
@testable import Redirect
import Testing

private let v4 = IPAddress.v4(0x0a00_0007)
private let v6 = IPAddress.v6(high: 0xfd00_0000_0000_0000, low: 7)
private let outer = PodInterface(index: 2, hasEthernetHeader: true)
private let tunnel = PodInterface(index: 3, hasEthernetHeader: false)

private func desired(
  _ addresses: Set<IPAddress> = [v4, v6], _ interfaces: Set<PodInterface> = [outer],
  hasIPv6: Bool = true
) -> DesiredRedirection {
  DesiredRedirection(
    addresses: addresses, interfaces: interfaces, routeSource4: v4,
    routeSource6: hasIPv6 ? v6 : nil, hasIPv6: hasIPv6)
}

private let enrolled = CurrentRedirection(
  addresses: [v4, v6], interfaces: [2], hasLookup: true, isThisBuild: true, isComplete: true)

@Suite struct `The plan of a pod` {
  @Test func `gives connections to ztunnel before it loops packets`() {
    #expect(
      RedirectionPlan.enrolling(desired(), from: nil) == [
        .makeObjects, .putAddress(v4), .putAddress(v6), .putListeners, .attachLookup,
        .addRule(.v4), .addRoute(.v4, source: v4), .addRule(.v6), .addRoute(.v6, source: v6),
        .set(.fwmarkReflect4), .set(.fwmarkReflect6), .set(.acceptLocal),
        .guardNamespace, .attachEgress(outer), .sweepEgress, .complete,
      ])
  }

  @Test func `does without IPv6 where there is none`() {
    #expect(
      RedirectionPlan.enrolling(desired([v4], hasIPv6: false), from: nil) == [
        .makeObjects, .putAddress(v4), .putListeners, .attachLookup, .addRule(.v4),
        .addRoute(.v4, source: v4), .set(.fwmarkReflect4), .set(.acceptLocal),
        .guardNamespace, .attachEgress(outer), .sweepEgress, .complete,
      ])
  }

  @Test func `sets rules and sysctls again for a pod that may have removed them`() {
    #expect(
      RedirectionPlan.enrolling(desired(), from: enrolled) == [
        .putListeners, .addRule(.v4), .addRoute(.v4, source: v4), .addRule(.v6),
        .addRoute(.v6, source: v6), .set(.fwmarkReflect4), .set(.fwmarkReflect6),
        .set(.acceptLocal), .guardNamespace, .sweepEgress, .complete,
      ])
  }

  @Test func `replaces another build's programs first`() {
    var old = enrolled
    old.isThisBuild = false
    #expect(RedirectionPlan.enrolling(desired(), from: old).first == .replacePrograms)
  }

  @Test func `writes down what passes, then what is there, and only then captures`() {
    let deadline = Instant(nanoseconds: 7)
    #expect(
      RedirectionPlan.enrolling(desired([v4], hasIPv6: false), from: nil, keepingUntil: deadline)
        == [
          .makeObjects, .putAddress(v4), .putListeners,
          .setPassage(Passage(.enter, until: deadline)),
          .attachEgress(outer), .sweepEgress, .recordConnections, .addRule(.v4),
          .addRoute(.v4, source: v4), .set(.fwmarkReflect4), .set(.acceptLocal), .attachLookup,
          .guardNamespace, .setPassage(Passage(.keep, until: deadline)), .complete,
        ])
  }

  @Test(arguments: [Passage.Mode.capture, .keep])
  func `gives a captured pod no new deadline`(mode: Passage.Mode) {
    var captured = enrolled
    captured.mode = mode
    let changes = RedirectionPlan.enrolling(
      desired(), from: captured, keepingUntil: Instant(nanoseconds: 7))
    #expect(changes == RedirectionPlan.enrolling(desired(), from: enrolled))
  }

  @Test(arguments: [Passage.Mode.leave, .drain])
  func `takes a pod back that is on its way out`(mode: Passage.Mode) {
    var leaving = enrolled
    leaving.mode = mode
    let cutting = RedirectionPlan.enrolling(desired(), from: leaving)
    #expect(cutting.suffix(3) == [.setPassage(.capture), .restore(.acceptMark), .complete])
    let deadline = Instant(nanoseconds: 7)
    let keeping = RedirectionPlan.enrolling(desired(), from: leaving, keepingUntil: deadline)
    #expect(
      keeping.suffix(3) == [
        .setPassage(Passage(.keep, until: deadline)), .restore(.acceptMark), .complete,
      ])
    #expect(keeping.contains(.recordConnections))
  }

  @Test func `learns a new address before all else and forgets an old one last`() {
    let came = IPAddress.v4(0x0a00_0008)
    #expect(
      RedirectionPlan.following(desired([came, v6], [outer, tunnel]), from: enrolled) == [
        .putAddress(came), .attachEgress(tunnel), .sweepEgress, .removeAddress(v4),
      ])
  }

  @Test func `follows nothing when nothing changed`() {
    #expect(RedirectionPlan.following(desired(), from: enrolled) == [.sweepEgress])
  }

  @Test func `releases in the reverse order, from whatever state`() {
    #expect(
      RedirectionPlan.releasing(enrolled, hasNamespace: true) == [
        .detachEgress, .unguardNamespace, .restore(.acceptMark), .restore(.acceptLocal),
        .restore(.fwmarkReflect6), .restore(.fwmarkReflect4), .removeRoute(.v6), .removeRule(.v6),
        .removeRoute(.v4),
        .removeRule(.v4), .detachLookup, .removeObjects,
      ])
  }

  @Test func `releases only the pins when the namespace is gone`() {
    let half = CurrentRedirection()
    #expect(
      RedirectionPlan.releasing(half, hasNamespace: false) == [
        .detachEgress, .unguardNamespace, .removeObjects,
      ])
  }
}

@Suite struct `A name in bpffs` {
  struct Row: CustomTestStringConvertible, Sendable {
    var name: String
    var component: String
    var testDescription: String { name }
  }

  static let rows = [
    Row(
      name: "4f1c0b2e-8a11-4a6e-9f0b-8a4d8e1f2a3b",
      component: "4f1c0b2e-8a11-4a6e-9f0b-8a4d8e1f2a3b"),
    Row(name: "shop/web.0", component: "shop%2fweb%2e0"),
    Row(name: "node.example.internal", component: "node%2eexample%2einternal"),
    Row(name: "..", component: "%2e%2e"),
    Row(name: "+shared", component: "%2bshared"),
    Row(name: "50%", component: "50%25"),
    Row(name: "é", component: "%c3%a9"),
  ]

  @Test(arguments: rows) func `is one component and comes back`(row: Row) {
    #expect(PinName(row.name)?.component == row.component)
    #expect(PinName.name(of: row.component) == row.name)
  }

  @Test(arguments: ["", String(repeating: "a", count: 256), String(repeating: ".", count: 86)])
  func `is refused when empty or too long`(name: String) {
    #expect(PinName(name) == nil)
  }

  @Test(arguments: ["", "a.b", "%", "%2", "%zz", "%2E", "+shared", "%ff"])
  func `is not read from anything else`(component: String) {
    #expect(PinName.name(of: component) == nil)
  }
}

@Suite struct `The proof of a pod` {
  private static let agreed = RedirectionEvidence(
    namespaceInode: 7, namespaceCookie: 8, pinnedInode: 7, pinnedCookie: 8, lookupInode: 7)

  @Test func `has no objection when everything agrees`() {
    #expect(Self.agreed.objections == [])
  }

  @Test func `names each thing that disagrees`() {
    var evidence = Self.agreed
    evidence.pinnedCookie = 9
    evidence.lookupInode = 0
    evidence.openInterfaces = ["eth1"]
    evidence.missingAddresses = [v4]
    evidence.unknownAddresses = [v6]
    evidence.missingListeners = 2
    evidence.missingSettings = ["net/ipv4/fwmark_reflect is 0, not 1"]
    #expect(
      evidence.objections == [
        "namespace 7 was made anew: cookie 8, not 9", "the lookup program hangs on namespace 0",
        "interface eth1 has no egress program", "address 10.0.0.7 is on no interface",
        "address fd00::7 is not in local_addresses", "2 listeners are missing",
        "net/ipv4/fwmark_reflect is 0, not 1",
      ])
  }
}
