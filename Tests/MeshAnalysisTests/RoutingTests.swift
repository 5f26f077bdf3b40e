import MeshAnalysis
import Testing

@Suite struct `Of routes the analysis says` {
  private static func virtual(_ spec: String) -> [String] {
    waypoint + [istio("VirtualService", "v", "hosts: [front], \(spec)")]
  }

  static let istioRows: [Row] = [
    Row(
      says: "nothing of a route to what is there",
      adds: virtual("http: [{route: [{destination: {host: front, port: {number: 80}}}]}]")),
    Row(
      says: "a destination that is not there",
      adds: virtual("http: [{route: [{destination: {host: crat}}]}]"),
      finds: ["SKN0201 VirtualService shop/v spec.http[0].route[0].destination.host"],
      words: ["crat.shop.svc.cluster.local", "did you mean cart?"]),
    Row(
      says: "a short name with a namespace, which is no service's",
      adds: virtual("tcp: [{route: [{destination: {host: teller.bank}}]}]"),
      finds: ["SKN0201 VirtualService shop/v spec.tcp[0].route[0].destination.host"],
      words: ["did you mean teller.bank.svc.cluster.local?"]),
    Row(
      says: "a mirror that is not there",
      adds: virtual("http: [{mirror: {host: x}, route: [{destination: {host: front}}]}]"),
      finds: ["SKN0201 VirtualService shop/v spec.http[0].mirror.host"]),
    Row(
      says: "nothing of a ServiceEntry's host, exact or by its wildcard",
      adds: virtual(
        "http: [{match: [{uri: {prefix: /a}}], route: [{destination: {host: api.example.com}}]}, "
          + "{route: [{destination: {host: b.example.org}}]}]") + [
          istio(
            "ServiceEntry", "e",
            "hosts: [api.example.com, \"*.example.org\"], addresses: [240.0.0.1], resolution: NONE, "
              + "ports: [{number: 443, name: tls, protocol: TLS}]")
        ]),
    Row(
      says: "a host of nobody, in a VirtualService and a DestinationRule",
      adds: [
        istio("VirtualService", "v", "hosts: [nobody]"),
        istio("DestinationRule", "d", "host: nobody"),
      ],
      finds: [
        "SKN0202 VirtualService shop/v spec.hosts[0]", "SKN0202 DestinationRule shop/d spec.host",
      ]),
    Row(
      says: "a subset without a DestinationRule",
      adds: virtual("http: [{route: [{destination: {host: front, subset: v1}}]}]"),
      finds: ["SKN0203 VirtualService shop/v spec.http[0].route[0].destination.subset"],
      words: ["No DestinationRule is for front.shop.svc.cluster.local"]),
    Row(
      says: "a subset that its DestinationRule does not define",
      adds: virtual("http: [{route: [{destination: {host: front, subset: v2}}]}]") + [
        istio("DestinationRule", "d", "host: front, subsets: [{name: v1, labels: {app: web}}]")
      ],
      finds: ["SKN0203 VirtualService shop/v spec.http[0].route[0].destination.subset"],
      words: ["did you mean v1?"]),
    Row(
      says: "a subset of no pod",
      adds: [
        istio("DestinationRule", "d", "host: web, subsets: [{name: v1, labels: {version: v1}}]")
      ],
      finds: ["SKN0204 DestinationRule shop/d spec.subsets[0].labels"]),
    Row(
      says: "two VirtualServices for one host",
      adds: virtual("http: []") + [
        istio("VirtualService", "w", in: "bank", "hosts: [front.shop.svc.cluster.local]")
      ],
      finds: ["SKN0205 VirtualService shop/v spec.hosts[0]"], words: ["bank/w"]),
    Row(
      says: "nothing of two that are their namespaces' own",
      adds: virtual("exportTo: [\".\"]") + [
        istio("VirtualService", "w", in: "bank", "hosts: [front.shop.svc.cluster.local]")
      ]),
    Row(
      says: "two DestinationRules for one host",
      adds: [
        istio("DestinationRule", "d", "host: web"),
        istio("DestinationRule", "e", "host: web.shop.svc.cluster.local"),
      ],
      finds: ["SKN0206 DestinationRule shop/e spec.host"]),
    Row(
      says: "weights that do not add up",
      adds: virtual(
        "http: [{route: [{destination: {host: front}, weight: 50}, "
          + "{destination: {host: cart}, weight: 40}]}]"
      ),
      finds: ["SKN0208 VirtualService shop/v spec.http[0].route"], words: ["add up to 90"]),
    Row(
      says: "weights of nothing",
      adds: virtual("tcp: [{route: [{destination: {host: front}}, {destination: {host: cart}}]}]"),
      finds: ["SKN0208 VirtualService shop/v spec.tcp[0].route"], words: ["none of them is taken"]),
    Row(
      says: "a gateway that is not there",
      adds: virtual("gateways: [mesh, edge]"),
      finds: ["SKN0209 VirtualService shop/v spec.gateways[1]"]),
    Row(
      says: "a port the service does not have",
      adds: virtual("http: [{route: [{destination: {host: front, port: {number: 8080}}}]}]"),
      finds: ["SKN0210 VirtualService shop/v spec.http[0].route[0].destination.port.number"],
      words: ["Its ports are 80"]),
    Row(
      says: "that no waypoint applies its routes",
      adds: [istio("VirtualService", "v", "hosts: [web]")],
      finds: ["SKN0211 VirtualService shop/v spec.hosts[0]"], words: ["istio.io/use-waypoint"]),
    Row(
      says: "a gateway of no pod",
      adds: [istio("Gateway", "edge", "selector: {istio: ingressgateway}")],
      finds: ["SKN0212 Gateway shop/edge spec.selector"]),
  ]

  static let shadows: [(earlier: String, later: String, isShadowed: Bool)] = [
    ("", "", true),
    ("", "match: [{uri: {exact: /a}}]", true),
    ("match: [{uri: {prefix: /}}]", "match: [{headers: {x: {exact: y}}}]", true),
    ("match: [{uri: {regex: \".*\"}}]", "", true),
    ("match: [{uri: {prefix: /a}}]", "match: [{uri: {prefix: /a/b}}]", true),
    ("match: [{uri: {prefix: /a}}]", "match: [{uri: {exact: /ab}}]", true),
    ("match: [{uri: {prefix: /a}}]", "match: [{uri: {prefix: /a}}, {uri: {prefix: /b}}]", false),
    ("match: [{uri: {prefix: /a}, method: {exact: GET}}]", "match: [{uri: {prefix: /a}}]", false),
    (
      "match: [{uri: {prefix: /a}, method: {exact: GET}}]",
      "match: [{method: {exact: GET}, uri: {exact: /a}}]", true
    ),
    ("match: [{uri: {exact: /a}}]", "", false),
    ("match: [{port: 80}]", "match: [{port: 81}]", false),
    ("match: [{uri: {prefix: /a}}]", "match: [{uri: {regex: \"/a.*\"}}]", false),
    ("match: [{uri: {exact: /a}, ignoreUriCase: true}]", "match: [{uri: {exact: /a}}]", false),
  ]

  @Test(arguments: istioRows) func `what leads nowhere:`(row: Row) { row.check() }

  @Test(arguments: shadows.indices) func `which route is never taken`(index: Int) {
    let (earlier, later, isShadowed) = Self.shadows[index]
    let routes = [earlier, later].map { match in
      "{\(match)\(match.isEmpty ? "" : ", ")route: [{destination: {host: front}}]}"
    }
    let row = Row(says: "", adds: Self.virtual("http: [\(routes.joined(separator: ", "))]"))
    let found = row.found().map(\.place)
    #expect(found == (isShadowed ? ["SKN0207 VirtualService shop/v spec.http[1]"] : []))
  }

  static let gatewayRows: [Row] = [
    Row(
      says: "nothing of a route to what is there",
      adds: waypoint + [
        route(
          "r",
          "parentRefs: [{group: \"\", kind: Service, name: front}], "
            + "rules: [{backendRefs: [{name: cart, port: 80}]}]")
      ]),
    Row(
      says: "a parent that is not there",
      adds: [route("r", "parentRefs: [{name: edge}]")],
      finds: ["SKN0301 HTTPRoute shop/r spec.parentRefs[0]"], words: ["Gateway shop/edge"]),
    Row(
      says: "a service as parent that is not there",
      adds: [route("r", "parentRefs: [{group: \"\", kind: Service, name: wbe}]")],
      finds: ["SKN0301 HTTPRoute shop/r spec.parentRefs[0]"], words: ["did you mean web?"]),
    Row(
      says: "a service as parent without a waypoint",
      adds: [route("r", "parentRefs: [{group: \"\", kind: Service, name: web}]")],
      finds: ["SKN0211 HTTPRoute shop/r spec.parentRefs[0]"]),
    Row(
      says: "a listener that is not there",
      adds: waypoint + [route("r", "parentRefs: [{name: way, sectionName: http}]")],
      finds: ["SKN0302 HTTPRoute shop/r spec.parentRefs[0]"], words: ["Its listeners are mesh"]),
    Row(
      says: "a backend and a mirror that are not there",
      adds: waypoint + [
        route(
          "r",
          "parentRefs: [{name: way}], rules: [{backendRefs: [{name: crat, port: 80}], "
            + "filters: [{type: RequestMirror, requestMirror: {backendRef: {name: x, port: 80}}}]}]"
        )
      ],
      finds: [
        "SKN0303 HTTPRoute shop/r spec.rules[0].backendRefs[0]",
        "SKN0303 HTTPRoute shop/r spec.rules[0].filters[0].requestMirror.backendRef",
      ]),
    Row(
      says: "a backend's port that is not there",
      adds: waypoint + [
        route("r", "parentRefs: [{name: way}], rules: [{backendRefs: [{name: cart, port: 81}]}]")
      ],
      finds: ["SKN0210 HTTPRoute shop/r spec.rules[0].backendRefs[0].port"]),
    Row(
      says: "a backend of another namespace that does not let it",
      adds: waypoint + [
        route(
          "r",
          "parentRefs: [{name: way}], "
            + "rules: [{backendRefs: [{name: teller, namespace: bank, port: 80}]}]"
        )
      ],
      finds: ["SKN0304 HTTPRoute shop/r spec.rules[0].backendRefs[0]"],
      words: ["ReferenceGrant in bank", "kind: HTTPRoute, namespace: shop", "name: teller"]),
    Row(
      says: "nothing of one that lets it",
      adds: waypoint + [
        route(
          "r",
          "parentRefs: [{name: way}], "
            + "rules: [{backendRefs: [{name: teller, namespace: bank, port: 80}]}]"
        ),
        object(
          "ReferenceGrant", "gateway.networking.k8s.io/v1beta1", "g", in: "bank",
          "spec: {from: [{group: gateway.networking.k8s.io, kind: HTTPRoute, namespace: shop}], "
            + "to: [{group: \"\", kind: Service}]}"),
      ]),
    Row(
      says: "a Gateway that takes no routes of the namespace",
      adds: waypoint + [route("r", in: "bank", "parentRefs: [{name: way, namespace: shop}]")],
      finds: ["SKN0305 HTTPRoute bank/r spec.parentRefs[0]"], words: ["allowedRoutes"]),
    Row(
      says: "nothing of one that takes them by a label",
      adds: [
        gateway(
          "edge", className: "other",
          listeners:
            "{name: h, port: 80, protocol: HTTP, allowedRoutes: {namespaces: {from: Selector, "
            + "selector: {matchLabels: {kubernetes.io/metadata.name: bank}}}}}"
        ),
        route("r", in: "bank", "parentRefs: [{name: edge, namespace: shop}]"),
      ], finds: ["SKN0004 Gateway shop/edge spec.gatewayClassName"]),
  ]

  @Test(arguments: gatewayRows) func `what the Gateway API refers to:`(row: Row) { row.check() }
}
