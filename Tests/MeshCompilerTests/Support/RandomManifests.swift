import TestSupport

/// Manifests of few names, so that they meet: every kind, right and wrong, in YAML's flow style.
///
/// A class, so that a text can draw in the middle of a text.
final class RandomManifests: RandomNumberGenerator {
  private var source: SeededGenerator

  init(seed: UInt64) { source = SeededGenerator(seed: seed) }

  func next() -> UInt64 { source.next() }
  func below(_ limit: Int) -> Int { source.below(limit) }
  func chance(_ percent: Int) -> Bool { source.chance(percent) }
  func one<Element>(of choices: [Element]) -> Element { source.one(of: choices) }

  /// `text` now and then, else nothing.
  func maybe(_ percent: Int, _ text: @autoclosure () -> String) -> String {
    chance(percent) ? text() : ""
  }
}

extension RandomManifests {
  private static let namespaces = ["shop", "web", "istio-system", "default", "db"]
  private static let names = ["a", "b", "c", "d", "e"]

  func namespaceName() -> String { one(of: Self.namespaces) }
  func name() -> String { one(of: Self.names) }
  private func app() -> String { "app: \(one(of: ["x", "y", "z"]))" }
  /// Of a small range now and then, where two meet.
  private func address(_ block: Int) -> String {
    "10.\(block).0.\(1 + below(chance(25) ? 6 : 60))"
  }

  /// Any object at all.
  func manifest() -> String {
    switch below(22) {
    case 0...6: podManifest()
    case 7...9: serviceManifest()
    case 10...11: sliceManifest()
    case 12...13: namespaceManifest()
    case 14: nodeManifest()
    case 15: object("ServiceAccount", "v1", "", in: namespaceName())
    case 16: policyManifest()
    case 17: peerAuthenticationManifest()
    case 18: gatewayManifest()
    case 19: serviceEntryManifest()
    case 20: workloadEntryManifest()
    default: wrongManifest()
    }
  }

  private func object(
    _ kind: String, _ version: String, _ body: String, in namespace: String?,
    named name: String? = nil, labels: String = "", annotations: String = "", metadata: String = ""
  ) -> String {
    let name = name ?? self.name()
    let place = namespace.map { ", namespace: \($0)" } ?? ""
    let created = maybe(40, ", creationTimestamp: \"2026-01-0\(1 + below(4))T00:00:00Z\"")
    return "{apiVersion: \(version), kind: \(kind), metadata: {name: \(name)\(place)\(created), "
      + "labels: {\(labels)}, annotations: {\(annotations)}, \(metadata)}, \(body)}"
  }

  private func labels() -> String {
    app() + maybe(30, ", tier: front")
      + maybe(12, ", istio.io/use-waypoint: \(chance(20) ? "Bad_" : name())")
      + maybe(10, ", istio.io/use-waypoint-namespace: \(namespaceName())")
      + maybe(4, ", networking.istio.io/tunnel: http")
      + maybe(8, ", istio.io/dataplane-mode: \(one(of: ["ambient", "none", "odd"]))")
      + maybe(6, ", topology.istio.io/network: n\(below(3))")
      + maybe(6, ", gateway.networking.k8s.io/gateway-name: \(name())")
  }

  private func namespaceManifest() -> String {
    object(
      "Namespace", "v1", "", in: nil, named: namespaceName(),
      labels: maybe(70, "istio.io/dataplane-mode: ambient, ")
        + maybe(25, "istio.io/use-waypoint: \(name()), ")
        + maybe(20, "istio.io/use-waypoint-namespace: \(namespaceName()), ")
        + maybe(25, "topology.istio.io/network: n\(below(2))"),
      annotations: maybe(25, "networking.istio.io/traffic-distribution: PreferClose"))
  }

  private func podManifest() -> String {
    let addresses = maybe(90, "podIPs: [{ip: \(address(0))}], ")
    let phase = maybe(15, "phase: \(one(of: ["Succeeded", "Pending", "Running"]))")
    return object(
      "Pod", "v1",
      "spec: {nodeName: n\(below(4)), \(maybe(7, "hostNetwork: true, "))"
        + maybe(30, "serviceAccountName: \(name()), ")
        + "containers: [{ports: [{name: \(one(of: ["http", "grpc"])), containerPort: 8080}]}]}, "
        + "status: {\(addresses)\(phase)}",
      in: namespaceName(), labels: labels(),
      annotations: maybe(5, "sidecar.istio.io/status: \"{}\""),
      metadata: maybe(15, "uid: u\(below(40))"))
  }

  private func serviceManifest() -> String {
    let target = maybe(50, ", targetPort: \(one(of: ["8080", "http", "grpc"]))")
    return object(
      "Service", "v1",
      "spec: {ports: [{name: p, port: \(one(of: [80, 15008]))\(target)}], "
        + maybe(80, "selector: {\(app())\(maybe(30, ", tier: front"))}, ")
        + maybe(90, "clusterIP: \(address(1)), ") + maybe(5, "type: ExternalName, ")
        + maybe(10, "publishNotReadyAddresses: true") + "}",
      in: namespaceName(), labels: labels(),
      annotations: maybe(15, "networking.istio.io/exportTo: \"\(one(of: ["~", ".", "*"]))\""))
  }

  private func sliceManifest() -> String {
    var endpoints: [String] = []
    for _ in 0..<below(4) {
      let pod = maybe(40, "targetRef: {kind: Pod, name: \(name())}, ")
      let ready = maybe(20, "conditions: {ready: false}, ")
      endpoints.append("{addresses: [\(address(0))], \(pod)\(ready)nodeName: n\(below(4))}")
    }
    return object(
      "EndpointSlice", "discovery.k8s.io/v1",
      "addressType: IPv4, ports: [{name: p, port: \(one(of: [8080, 9090]))}], "
        + "endpoints: [\(endpoints.joined(separator: ", "))]",
      in: namespaceName(), labels: maybe(90, "kubernetes.io/service-name: \(name())"))
  }

  private func nodeManifest() -> String {
    object(
      "Node", "v1", "", in: nil, named: "n\(below(4))",
      labels: maybe(80, "topology.kubernetes.io/zone: z\(below(3))"))
  }

  private func policyManifest() -> String {
    let reach = one(of: [
      "", "selector: {matchLabels: {\(app())}}, ",
      "targetRefs: [{kind: Service, group: \"\", name: \(name())}], ",
    ])
    return object(
      "AuthorizationPolicy", "security.istio.io/v1",
      "spec: {\(reach)action: \(one(of: ["ALLOW", "DENY", "AUDIT"])), "
        + "rules: [{from: [{source: {namespaces: [\(namespaceName())]}}]}]}",
      in: namespaceName())
  }

  private func peerAuthenticationManifest() -> String {
    let mode = one(of: ["STRICT", "PERMISSIVE", "UNSET"])
    let ports = maybe(40, ", portLevelMtls: {\"80\": {mode: STRICT}, \"81\": {mode: PERMISSIVE}}")
    let reach = maybe(50, ", selector: {matchLabels: {\(app())}}\(ports)")
    return object(
      "PeerAuthentication", "security.istio.io/v1", "spec: {mtls: {mode: \(mode)}\(reach)}",
      in: namespaceName())
  }

  private func gatewayManifest() -> String {
    let gatewayClass = one(of: ["istio-waypoint", "istio-waypoint", "istio-east-west", "other"])
    let status = maybe(60, ", status: {addresses: [{value: \(address(2))}]}")
    return object(
      "Gateway", "gateway.networking.k8s.io/v1",
      "spec: {gatewayClassName: \(gatewayClass), listeners: [{name: m, port: 15008, "
        + "protocol: HBONE, allowedRoutes: {namespaces: {from: \(one(of: ["Same", "All"]))}}}]}"
        + status,
      in: namespaceName(),
      labels: maybe(70, "topology.istio.io/network: n\(below(3)), ")
        + maybe(40, "istio.io/waypoint-for: \(one(of: ["service", "workload", "all", "none"]))"))
  }

  private func serviceEntryManifest() -> String {
    let host = one(of: ["ext.example", "a.shop.svc.cluster.local", "b.web.svc.cluster.local"])
    let members = one(of: [
      "resolution: NONE", "resolution: DNS",
      "resolution: STATIC, workloadSelector: {labels: {\(app())}}",
      "resolution: STATIC, endpoints: [{address: \(address(4))}]",
    ])
    return object(
      "ServiceEntry", "networking.istio.io/v1",
      "spec: {hosts: [\(host)], addresses: [\(address(3))], ports: [{name: p, number: 80}], "
        + maybe(10, "exportTo: [\"~\"], ")
        + maybe(25, "subjectAltNames: [\"spiffe://cluster.local/ns/db/sa/\(name())\"], ")
        + members + "}",
      in: namespaceName(), labels: labels())
  }

  private func workloadEntryManifest() -> String {
    object(
      "WorkloadEntry", "networking.istio.io/v1",
      "spec: {address: \(address(5)), labels: {\(app())}, ports: {p: 7070}"
        + maybe(30, ", network: n\(below(3))") + "}",
      in: namespaceName(), labels: labels())
  }

  /// With something in it that is to be said, or refused.
  private func wrongManifest() -> String {
    one(of: [
      "{apiVersion: v1, kind: Pod, metadata: {generateName: a}}",
      "{apiVersion: v1, kind: Pods, metadata: {name: a}}", "just text",
      "{apiVersion: v1, kind: Secret, metadata: {name: \(name())}}",
      "{apiVersion: v1, kind: Pod, metadata: {name: \(name()), labels: {app: 1}}, speck: {}}",
      "{apiVersion: v1, kind: Service, metadata: {name: \(name())}, spec: {ports: [{port: 0}]}}",
      "{apiVersion: v1, kind: List, items: [\(podManifest()), \(serviceManifest())]}",
    ])
  }
}
