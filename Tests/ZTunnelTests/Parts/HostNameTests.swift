import DNS
import MeshModel
import Testing

@testable import ZTunnel

@Suite struct `What a worker knows of host names` {
  private let start = Instant(nanoseconds: 1_000)

  @Test func `lasts as long as the resolver says, and not for ever`() {
    var names = HostNames()
    let ip = IPAddress.v4(0xc000_0201)
    names.keep([ip], of: "a.example", .ipv4, for: "pod", seconds: 10, at: start)
    #expect(names.addresses(of: "a.example", .ipv4, for: "pod", at: start + .seconds(9)) == [ip])
    #expect(names.addresses(of: "a.example", .ipv4, for: "pod", at: start + .seconds(10)) == nil)
    #expect(names.addresses(of: "a.example", .ipv6, for: "pod", at: start) == nil)
    names.keep([ip], of: "b.example", .ipv4, for: "pod", seconds: .max, at: start)
    let longest = Duration.seconds(Int64(ZTunnelLimit.knownHostSeconds))
    #expect(names.addresses(of: "b.example", .ipv4, for: "pod", at: start + longest) == nil)
  }

  @Test func `tells a name without address from one nobody asked for`() {
    var names = HostNames()
    names.keep([], of: "a.example", .ipv4, for: "pod", seconds: 5, at: start)
    #expect(names.addresses(of: "a.example", .ipv4, for: "pod", at: start) == [])
  }

  @Test func `of one pod is nothing to another, whose network may be somebody else's`() {
    var names = HostNames()
    names.keep([.v4(1)], of: "a.example", .ipv4, for: "pod", seconds: 60, at: start)
    #expect(names.addresses(of: "a.example", .ipv4, for: "other", at: start) == nil)
  }

  @Test func `has a bound`() {
    var names = HostNames()
    for number in 0..<(ZTunnelLimit.knownHosts + 1) {
      names.keep([.v4(1)], of: "h\(number)", .ipv4, for: "pod", seconds: 60, at: start)
    }
    #expect(names.addresses(of: "h0", .ipv4, for: "pod", at: start) == nil)
    #expect(
      names.addresses(of: "h\(ZTunnelLimit.knownHosts)", .ipv4, for: "pod", at: start) == [.v4(1)])
  }

  @Test func `comes from the resolvers of resolv.conf, three at most`() {
    let text = """
      # nameserver 192.0.2.9
      search shop.svc.cluster.local
      nameserver 192.0.2.1
      nameserver\tfd00::1
      nameserver nonsense
      nameserver 192.0.2.2
      nameserver 192.0.2.3
      options ndots:5
      """
    #expect(
      HostNames.servers(in: text).map(\.description)
        == ["192.0.2.1:53", "[fd00::1]:53", "192.0.2.2:53"])
    #expect(HostNames.servers(in: "") == [])
  }
}
