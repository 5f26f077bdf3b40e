import HBONE
import MeshModel
import Testing

@testable import ZTunnel

@Suite struct `The refusal header` {
  @Test func `comes back as it was sent`() {
    let header = RefusalHeader(id: 0xc0ff_ee00_c0ff_ee, reason: "no ALLOW policy matched")
    #expect(header.field.value == "00c0ffee00c0ffee; no ALLOW policy matched")
    #expect(RefusalHeader(in: [header.field]) == header)
  }

  @Test func `carries only printable ASCII, and not without end`() {
    let header = RefusalHeader(
      id: 1, reason: "a\r\nb: é" + String(repeating: "x", count: 5_000))
    #expect(header.reason.hasPrefix("a??b: ?xxx"))
    #expect(header.reason.utf8.count == RefusalHeader.reasonBytes)
  }

  @Test(arguments: [
    "", "00c0ffee", "00c0ffee00c0ffeg; x", "+0c0ffee00c0ffee; x", "00c0ffee00c0ffee x",
    "東東東東東東東東東東東東東東東東; x",
  ])
  func `from a peer that says something else is nil`(value: String) {
    #expect(RefusalHeader(parsing: value) == nil)
  }

  @Test func `may have no reason`() {
    #expect(RefusalHeader(parsing: "00000000000000ff")?.id == 255)
    #expect(RefusalHeader(parsing: "00000000000000ff;")?.reason == "")
  }
}

@Suite struct `The headers of a CONNECT` {
  private var workload: Workload {
    var workload = Workload(uid: "k//Pod/shop/web-1", name: "web-1", namespace: "shop")
    workload.canonicalName = "web"
    workload.canonicalRevision = "v2"
    return workload
  }

  @Test func `name the source for the other side's telemetry, without empty values`() {
    #expect(
      ConnectHeaders.baggage(of: workload)
        == "k8s.cluster.name=Kubernetes,k8s.namespace.name=shop,k8s.pod.name=web-1,"
        + "service.name=web,service.version=v2")
    var bare = workload
    bare.canonicalName = ""
    bare.canonicalRevision = ""
    #expect(ConnectHeaders.baggage(of: bare).hasSuffix("k8s.pod.name=web-1"))
  }

  @Test func `name the kind of workload and where it runs`() {
    var placed = workload
    placed.kind = .cronJob
    placed.locality = Locality(region: "r", zone: "z")
    #expect(
      ConnectHeaders.baggage(of: placed)
        == "k8s.cluster.name=Kubernetes,k8s.namespace.name=shop,k8s.cronjob.name=web-1,"
        + "service.name=web,service.version=v2,cloud.region=r,cloud.availability_zone=z")
  }

  @Test func `tell a peer of another network, whatever its case`() {
    func header(_ network: String) -> [HeaderField] {
      [HeaderField(name: ConnectHeaders.network, value: network)]
    }
    #expect(ConnectHeaders.isFromOtherNetwork(header("far"), own: "near"))
    #expect(!ConnectHeaders.isFromOtherNetwork(header("NEAR"), own: "near"))
    #expect(!ConnectHeaders.isFromOtherNetwork([], own: "near"))
  }

  @Test func `quote the client and name the service`() {
    let four = SocketAddress(ip: .v4(0x0a00_0007), port: 40_000)
    let six = SocketAddress(ip: .v6(high: 0, low: 1), port: 80)
    #expect(
      ConnectHeaders.forwarded(client: four, serviceHost: "web.shop.svc")
        == "for=\"10.0.0.7:40000\";host=web.shop.svc")
    #expect(ConnectHeaders.forwarded(client: six, serviceHost: nil) == "for=\"[::1]:80\"")
  }

  @Test func `carry a trace id that is never sampled`() {
    #expect(
      ConnectHeaders.traceParent(1, 2, 3)
        == "00-00000000000000010000000000000002-0000000000000003-00")
  }
}
