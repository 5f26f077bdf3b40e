import MeshAnalysis
import Testing

@Suite struct `Of services the analysis says` {
  static let table: [Row] = [
    Row(
      says: "that nobody serves it", adds: [service("x", ip: "10.96.1.1")],
      finds: ["SKN0401 Service shop/x spec.selector"]),
    Row(
      says: "that none of its pods is ready",
      adds: [
        service("x", ip: "10.96.1.1"),
        pod("x", status: "conditions: [{type: Ready, status: \"False\"}]"),
      ],
      finds: ["SKN0401 Service shop/x"], words: ["None of its 1 pod is ready"]),
    Row(
      says: "that one without a selector has no EndpointSlice",
      adds: [service("x", ip: "10.96.1.1", selector: "")], finds: ["SKN0401 Service shop/x"],
      words: ["EndpointSlice"]),
    Row(
      says: "nothing of one that has",
      adds: [
        service("x", ip: "10.96.1.1", selector: ""),
        object(
          "EndpointSlice", "discovery.k8s.io/v1", "x-1", labels: "kubernetes.io/service-name: x",
          "addressType: IPv4, endpoints: [{addresses: [10.1.1.1]}], "
            + "ports: [{name: http, port: 1}]"),
      ]),
    Row(
      says: "a target port by a name no container has",
      adds: [
        service("x", ip: "10.96.1.1", selector: "app: web", ports: "{port: 80, targetPort: htp}")
      ],
      finds: ["SKN0402 Service shop/x spec.ports[0].targetPort"], words: ["did you mean http?"]),
    Row(
      says: "that a waypoint has to guess what a port speaks",
      adds: waypoint + [
        service(
          "x", labels: "istio.io/use-waypoint: way", ip: "10.96.1.1", selector: "app: web",
          ports:
            "{name: main, port: 80, targetPort: http}, {name: http-b, port: 81, targetPort: http}, "
            + "{name: c, port: 82, targetPort: http, appProtocol: grpc}")
      ],
      finds: ["SKN0403 Service shop/x spec.ports[0]"]),
    Row(
      says: "two services of one address, in the compiler's words",
      adds: [service("x", ip: "10.96.0.1", selector: "app: web")],
      finds: ["SKN0404 Service shop/x spec.clusterIP"]),
    Row(
      says: "a ServiceEntry with a service's address, a host of another's, and one without any",
      adds: [
        istio(
          "ServiceEntry", "a",
          "hosts: [a.example.com], addresses: [10.96.0.1], resolution: DNS, "
            + "ports: [{number: 80, name: http}]"
        ),
        istio(
          "ServiceEntry", "b",
          "hosts: [a.example.com], addresses: [240.0.0.9], resolution: DNS, "
            + "ports: [{number: 80, name: http}]"
        ),
        istio(
          "ServiceEntry", "c",
          "hosts: [c.example.com], resolution: DNS, ports: [{number: 80, name: http}]"),
      ],
      finds: [
        "SKN0404 ServiceEntry shop/a spec.addresses[0]",
        "SKN0405 ServiceEntry shop/b spec.hosts[0]",
        "SKN0406 ServiceEntry shop/c spec.addresses",
      ]),
  ]

  @Test(arguments: table) func `what nobody answers to:`(row: Row) { row.check() }
}
