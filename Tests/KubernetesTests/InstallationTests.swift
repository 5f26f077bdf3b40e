import Foundation
import Linux
import NodeHarness
import Testing

/// What a user of a cluster does and sees: kubectl, pods, and the wire between two nodes.
@Suite(.serialized, .enabled(if: Installation.isAvailable, "run by make e2e"))
struct `A cluster` {
  @Suite(.serialized, .installation)
  struct `with Skein installed from its manifests` {
    let installation = Installation()

    @Test func `has a healthy agent on every node`() async throws {
      try await installation.waitUntilHealthy()
    }

    @Test func `enrols running pods by a label, restarts nothing, and encrypts between nodes`()
      async throws
    {
      try await installation.release("shop")
      try await installation.spread("web")
      let before = try await installation.pod("web", on: "n2")
      let client = try await installation.client(on: "n1")
      let address = try #require(before["status"]["podIP"].string)
      let plain = try await traffic(of: "plain-secret", from: client, to: address)
      #expect(plain["found"]["plain-secret"].int ?? 0 > 0, "the control: it is readable outside")
      try await installation.enrol("shop")
      let sealed = try await traffic(of: "sealed-secret", from: client, to: address)
      #expect(sealed["found"]["sealed-secret"].int == 0, "\(sealed)")
      #expect(sealed["ports"]["15008"].int ?? 0 > 0, "\(sealed)")
      let after = try await installation.pod("web", on: "n2")
      #expect(after["metadata"]["uid"].string == before["metadata"]["uid"].string)
      #expect(after["status"]["containerStatuses"].array.first?["restartCount"].int == 0)
    }

    /// What a watcher of n1's interface sees while a pod asks for a path with a secret in it.
    private func traffic(
      of secret: String, from client: String, to address: String
    ) async throws -> JSON {
      let watcher = try Running([
        "nsenter", "--net=/run/netns/kube-n1", "python3", "\(Mesh.programs)/sniff.py", "eth0",
        "60", secret,
      ])
      try await watcher.waitFor("ready")
      for _ in 0..<5 {
        let answer = try await installation.curl(
          "http://\(address):8080/index.html?\(secret)", in: client)
        #expect(answer == "n2\n")
      }
      watcher.signal(.terminate)
      return try await watcher.finish().json()
    }

    @Test func `enforces STRICT and a policy, says why, and lets the kubelet's probes through`()
      async throws
    {
      try await installation.enrol("shop")
      let client = try await installation.client(on: "n1")
      let open = try await installation.curl(
        "http://web.shop/", in: "outsider", of: "default")
      #expect(open.hasPrefix("n"), "permissive: \(open)")
      try await installation.apply(
        """
        apiVersion: security.istio.io/v1
        kind: PeerAuthentication
        metadata: {name: default, namespace: shop}
        spec: {mtls: {mode: STRICT}}
        """)
      try await eventually("a stranger is refused") {
        try await installation.curl("http://web.shop/", in: "outsider", of: "default")
          .contains("reset by peer")
      }
      #expect(try await installation.curl("http://web/", in: client).hasPrefix("n"))
      try await installation.apply(
        """
        apiVersion: security.istio.io/v1
        kind: AuthorizationPolicy
        metadata: {name: nobody, namespace: shop}
        spec:
          selector: {matchLabels: {app: web}}
          action: DENY
          rules:
            - from: [{source: {principals: [cluster.local/ns/shop/sa/default]}}]
        """)
      try await eventually("the policy refuses the client") {
        try await !installation.curl("http://web/", in: client).hasPrefix("n")
      }
      try await eventually("a node says which policy it was") {
        var refusals: [JSON] = []
        for node in Installation.nodes {
          refusals += try await installation.status(on: node, "refusals").array
        }
        return refusals.contains { $0["policy"].string?.contains("nobody") == true }
      }
      // Probes come every second, and three that fail restart the container.
      try await Task.sleep(for: .seconds(5))
      for node in Installation.nodes {
        let status = try await installation.pod("web", on: node)["status"]
        let container = status["containerStatuses"].array.first
        #expect(container?["ready"].bool == true && container?["restartCount"].int == 0)
      }
      try await installation.kubectl(
        "-n", "shop", "delete", "authorizationpolicy/nobody", "peerauthentication/default")
      try await eventually("both are let in again") {
        let inside = try await installation.curl("http://web/", in: client)
        let outside = try await installation.curl(
          "http://web.shop/", in: "outsider", of: "default")
        return inside.hasPrefix("n") && outside.hasPrefix("n")
      }
    }

    @Test func `keeps a client without retries at 100 % while node agents and a control plane die`()
      async throws
    {
      try await installation.enrol("shop")
      let load = try await installation.load(in: try await installation.client(on: "n1"))
      try await load.waitForAnswers(30)
      for node in Installation.nodes {
        try await installation.kill("node-agent", on: node)
      }
      try await installation.kubectl(
        "-n", "skein-system", "delete", "pod", "-l", "app.kubernetes.io/name=control-plane",
        "--wait=false")
      try await installation.waitUntilEnrolled("shop")
      try await installation.waitUntilHealthy()
      try await load.waitForAnswers(100)
      try await load.expectAllGood()
    }

    @Test func `lets a rollout go by without a failed request`() async throws {
      try await installation.enrol("shop")
      let load = try await installation.load(in: try await installation.client(on: "n2"))
      try await load.waitForAnswers(30)
      try await installation.kubectl("-n", "shop", "rollout", "restart", "deployment/web")
      try await installation.kubectl(
        "-n", "shop", "rollout", "status", "deployment/web", "--timeout=60s")
      try await load.waitForAnswers(100)
      try await load.expectAllGood()
    }

    @Test
    func `enrols and releases a namespace under load without a failed connection`()
      async throws
    {
      try await installation.release("shop")
      let client = try await installation.client(on: "n1")
      let echo = try await installation.address(of: "echo", on: "n2")
      let plain = HeldConnections(installation: installation, pod: client, number: 10)
      let sealed = HeldConnections(installation: installation, pod: client, number: 5)
      try await plain.open(to: echo, port: 9000)
      let load = try await installation.load(in: client)
      try await load.waitForAnswers(30)
      try await installation.enrol("shop")
      try await load.waitForAnswers(50)
      try await plain.expectAlive()
      try await sealed.open(to: echo, port: 9000)
      try await installation.beginRelease("shop")
      try await installation.wait(for: "shop", toBe: "draining", or: "notEnrolled")
      try await load.waitForAnswers(50)
      try await plain.expectAlive()
      try await sealed.expectAlive()
      // Taken back while it drains, then released once nothing of the mesh lives.
      try await installation.enrol("shop")
      try await load.waitForAnswers(50)
      try await plain.expectAlive()
      try await sealed.expectAlive()
      try await sealed.close()
      try await installation.release("shop")
      try await load.waitForAnswers(50)
      try await load.expectAllGood()
    }

    @Test func `releases the pods of a namespace whose label is taken away`()
      async throws
    {
      try await installation.enrol("shop")
      try await installation.release("shop")
      let client = try await installation.client(on: "n1")
      #expect(try await installation.curl("http://web/", in: client).hasPrefix("n"))
    }
  }

  @Suite(.serialized, .installation)
  struct `that Skein is taken away from` {
    let installation = Installation()

    @Test func `has its pods' traffic as it was, and nothing of ours`() async throws {
      try await installation.enrol("shop")
      let client = try await installation.client(on: "n1")
      #expect(try await installation.curl("http://web/", in: client).hasPrefix("n"))
      try await installation.uninstall()
      #expect(try await installation.curl("http://web/", in: client).hasPrefix("n"))
      for node in Installation.nodes {
        let left = try await NodeHarness.run(
          "\(ClusterFixture.scripts)/node-exec.sh", node, "bash", "-c",
          "ls /sys/fs/bpf/skein 2>/dev/null; ls /etc/cni/net.d | grep -i skein", expecting: nil)
        #expect(left.standardOutput.isEmpty, "\(node): \(left.standardOutput)")
      }
    }
  }
}
