import Foundation
import Linux
import NodeHarness
import Testing

extension `A cluster`.`with Skein installed from its manifests` {
  @Test func `lets no enrolled pod of a node that was started anew speak in plaintext`()
    async throws
  {
    try await installation.enrol("shop")
    try await installation.spread("web")
    let web = try await installation.address(of: "web", on: "n1")
    try await installation.with(Self.chatter(with: web)) {
      try await installation.kubectl(
        "-n", "shop", "wait", "--for=condition=Ready", "pod/chatter", "--timeout=60s")
      try await eventually("it is heard") { try await isHeard() }
      let first = try await container()
      let watcher = try Running([
        "nsenter", "--net=/run/netns/kube-n1", "python3", "\(Mesh.programs)/sniff.py", "eth0",
        "300", "chatter-secret",
      ])
      try await watcher.waitFor("ready")
      try await NodeHarness.run(
        "\(ClusterFixture.scripts)/reboot.sh", "n2", within: .seconds(60))
      try await eventually("its container is another", within: .seconds(120)) {
        let now = try await container()
        return !now.isEmpty && now != first
      }
      try await eventually("it is heard again", within: .seconds(120)) { try await isHeard() }
      watcher.signal(.terminate)
      let seen = try await watcher.finish().json()
      #expect(seen["found"]["chatter-secret"].int == 0, "\(seen)")
      #expect(seen["ports"]["15008"].int ?? 0 > 0, "\(seen)")
      try await installation.waitForNode("n2", ready: "True")
      try await installation.waitUntilHealthy()
      try await installation.waitUntilEnrolled("shop")
    }
    for workload in ["deployment/web", "daemonset/client", "daemonset/echo"] {
      try await installation.kubectl(
        "-n", "shop", "rollout", "status", workload, "--timeout=100s")
    }
  }

  private func isHeard() async throws -> Bool {
    let log = try await installation.kubectl(
      "-n", "shop", "logs", "chatter", "--tail=5", expecting: nil)
    return log.standardOutput.contains("n1")
  }

  /// Which container of the pod runs; empty while none does.
  private func container() async throws -> String {
    let output = try await installation.kubectl("-n", "shop", "get", "pod", "chatter", "-o", "json")
    let status = try JSON(parsing: output.standardOutput)["status"]["containerStatuses"].array.first
    guard status?["state"]["running"]["startedAt"].string != nil else { return "" }
    return status?["containerID"].string ?? ""
  }

  /// A pod of n2 that speaks from its first moment, to a pod of n1.
  private static func chatter(with address: String) -> String {
    """
    apiVersion: v1
    kind: Pod
    metadata: {name: chatter, namespace: shop}
    spec:
      nodeName: n2
      terminationGracePeriodSeconds: 1
      containers:
        - name: chatter
          image: localhost/app:1
          command:
            - /bin/sh
            - -c
            - 'while :; do curl -s -m 2 "http://\(address):8080/index.html?chatter-secret"; sleep 0.05; done'
    """
  }
}
