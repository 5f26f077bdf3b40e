import Foundation
import Linux
import NodeHarness
import Testing

extension `A node` {
  /// A service behind a waypoint, which a program plays on a node that nobody runs.
  @Suite(
    .serialized,
    .mesh { mesh in
      try await mesh.addShop()
      try await mesh.addWaypoint()
      try await mesh.applyGuardedService()
      try await mesh.startShop()
    })
  struct `passes a waypoint` {
    static let identity = "spiffe://cluster.local/ns/shop/sa/waypoint"

    /// Lets the waypoint stand for as long as `body` takes; what it saw.
    func withWaypoint(_ body: (Mesh) async throws -> Void) async throws -> JSON {
      let mesh = try Mesh.shared
      let server = try await #require(mesh.pods["server"])
      let waypoint = try await mesh.spawn(
        in: "waypoint", "waypoint.py", mesh.authority, Self.identity, server.ip4, "8080")
      try await waypoint.waitFor("ready")
      try await body(mesh)
      waypoint.closeInput()
      return try await waypoint.finish().json()
    }

    @Test func `which gets what was dialled, from the client itself`() async throws {
      let seen = try await withWaypoint { mesh in
        let answer = try await mesh.client(in: "client", "get", "10.96.0.30", "80", "name")
        #expect(answer["answer"].string?.hasSuffix("|server") == true, "\(answer)")
        let both = try await mesh.client(in: "client", "both", "10.96.0.30", "80", "300000")
        #expect(both["error"].string == nil, "\(both)")
        let agent = try await mesh.agent("a")
        try await eventually("the connection is logged with its waypoint") {
          agent.standardOutput.split(separator: "\n").contains { line in
            line.contains("\"connection complete\"") && line.contains("\"waypoint\"")
              && line.contains(Self.identity)
          }
        }
      }
      #expect(seen["authorities"][0].string == "10.96.0.30:80", "\(seen)")
      #expect(
        seen["clients"][0].string == "spiffe://cluster.local/ns/shop/sa/client", "\(seen)")
    }

    @Test func `and nothing goes round it`() async throws {
      _ = try await withWaypoint { mesh in
        let server = try await #require(mesh.pods["server"])
        for pod in ["client", "stranger"] {
          let answer = try await mesh.client(in: pod, "get", server.ip4, "8080", "name")
          #expect(answer["error"].string == "ECONNRESET", "\(pod): \(answer)")
          let refusal = try await mesh.status("b")["refusals"][0]
          #expect(
            refusal["reason"].string?.contains("through its waypoint") == true,
            "\(pod): \(refusal)")
        }
        let here = try await mesh.status("a")["refusals"][0]
        #expect(here["reason"].string?.contains("through its waypoint") == true, "\(here)")
      }
    }

    @Test func `or goes nowhere while it is away`() async throws {
      let mesh = try Mesh.shared
      let answer = try await mesh.client(in: "client", "get", "10.96.0.30", "80", "name")
      #expect(answer["error"].string == "ECONNRESET", "\(answer)")
    }

    @Test func `as explain says it would`() async throws {
      let mesh = try Mesh.shared
      let explained = try await mesh.agentCommand(
        "a", "explain", "--from", "shop/client", "--to", "10.96.0.30:80")
      #expect(
        explained.standardOutput.contains("through waypoint Kubernetes//Pod/shop/waypoint"),
        "\(explained)")
      let server = try await #require(mesh.pods["server"])
      let round = try await mesh.agentCommand(
        "a", "explain", "--from", "shop/client", "--to", "\(server.ip4):8080")
      #expect(round.status == 1 && round.standardOutput.contains("denied"), "\(round)")
      #expect(round.standardOutput.contains("takes connections through its waypoint"), "\(round)")
    }
  }
}

extension Mesh {
  /// A pod that speaks HBONE itself, of a node nobody runs, and the Gateway and Service it is.
  fileprivate func addWaypoint() async throws {
    var pod = try await addPod(
      "waypoint", on: "b",
      labels: [
        "networking.istio.io/tunnel": "http",
        "gateway.networking.k8s.io/gateway-name": "waypoint",
      ])
    pod.node = "nowhere"
    try apply("pod-waypoint", pod.manifest)
    try apply(
      "gateway-waypoint",
      """
      apiVersion: gateway.networking.k8s.io/v1
      kind: Gateway
      metadata: {name: waypoint, namespace: shop}
      spec:
        gatewayClassName: istio-waypoint
        listeners: [{name: mesh, port: 15008, protocol: HBONE}]
      """)
    try apply(
      "service-waypoint",
      Manifest.service(
        "waypoint", selector: "{app: waypoint}", virtualIP: "10.96.0.31", port: 15_008,
        targetPort: 15_008))
  }

  fileprivate func applyGuardedService() throws {
    try apply(
      "service-server",
      """
      apiVersion: v1
      kind: Service
      metadata: {name: server, namespace: shop, labels: {istio.io/use-waypoint: waypoint}}
      spec:
        clusterIP: 10.96.0.30
        selector: {app: server}
        ports: [{name: tcp, port: 80, targetPort: 8080}]
      """)
  }
}
