import CBPF
import MeshModel
@testable import Redirect
import Testing

@Suite struct `The layouts shared with the kernel's half` {
  @Test func `have the sizes and offsets that bpf reads`() {
    #expect(MemoryLayout<redirect_address>.size == 16)
    #expect(MemoryLayout<redirect_flow>.size == 36)
    #expect(MemoryLayout<redirect_flow>.offset(of: \.destination) == 16)
    #expect(MemoryLayout<redirect_flow>.offset(of: \.source_port) == 32)
    #expect(MemoryLayout<redirect_flow>.offset(of: \.destination_port) == 34)
    #expect(MemoryLayout<redirect_probe>.size == 8)
    #expect(MemoryLayout<redirect_facts>.size == 568)
    #expect(MemoryLayout<redirect_passage>.size == 16)
    #expect(MemoryLayout<redirect_kept>.size == 40)
    #expect(MemoryLayout<redirect_facts>.offset(of: \.sysctl_before) == 32)
    #expect(MemoryLayout<redirect_facts>.offset(of: \.interfaces) == 56)
    #expect(MemoryLayout<redirect_facts>.offset(of: \.namespace_path) == 312)
  }

  @Test(arguments: ["10.0.0.7", "255.255.255.255", "fd77::1", "::1", "fe80::1:2:3"])
  func `hold addresses in network order, IPv4 as mapped`(text: String) throws {
    let address = try #require(IPAddress(text))
    let stored = redirect_address(address)
    #expect(stored.address == address)
    let bytes = unsafe withUnsafeBytes(of: stored) { unsafe Array($0) }
    let mapped: [UInt8] = [UInt8](repeating: 0, count: 10) + [0xff, 0xff]
    #expect(bytes == (address.isIPv4 ? mapped + address.bytes : address.bytes))
  }

  @Test func `name a listener's slot as the messages do`() {
    let listeners = PodListeners([10, 11, 12, 13, 14, 15])
    #expect(listeners?.slots[Int(REDIRECT_HBONE6.rawValue)] == 15)
    #expect(listeners?.slots.count == Int(REDIRECT_LISTENERS.rawValue))
    #expect(PodListeners([1, 2, 3])?.slots == [1, 2, 3, nil, nil, nil])
    #expect(PodListeners([1, 2, 3, 4]) == nil)
  }

  @Test func `give every counter one name`() {
    let counters = RedirectionCounters(slots: (0..<UInt64(REDIRECT_COUNTERS.rawValue)).map { $0 })
    #expect(counters.named.map(\.value) == Array(0..<UInt64(REDIRECT_COUNTERS.rawValue)))
    #expect(Set(counters.named.map(\.name)).count == counters.named.count)
  }

  @Test func `keep what was done for a pod`() {
    var facts = StoredFacts(
      namespaceInode: 4_026_532_000, namespaceCookie: 12, namespacePath: "/run/netns/web",
      attachment: .clsact, fingerprint: .max)
    facts.isComplete = true
    facts.sysctls = [.acceptLocal: 0, .fwmarkReflect6: 1, .acceptMark: 0]
    facts.interfaces = [.init(index: 2, madeClsact: true), .init(index: 9, madeClsact: false)]
    #expect(StoredFacts(facts.stored) == facts)
  }

  @Test func `keep no path that does not fit, and none cut short`() {
    var facts = StoredFacts(
      namespaceInode: 1, namespaceCookie: 2, attachment: .tcx, fingerprint: 3)
    facts.namespacePath = String(repeating: "p", count: RedirectLimit.namespacePathBytes)
    #expect(StoredFacts(facts.stored).namespacePath == facts.namespacePath)
    facts.namespacePath?.append("p")
    #expect(StoredFacts(facts.stored).namespacePath == nil)
  }
}
