import Foundation
import NodeHarness
import Testing

/// What stops on a node, and what it costs a client that never tries twice.
extension `A cluster`.`with Skein installed from its manifests` {
  @Test func `holds new connections while a ztunnel is killed, and ends only those it had`()
    async throws
  {
    try await installation.enrol("shop")
    let clients = (
      try await installation.client(on: "n1"), try await installation.client(on: "n2")
    )
    let echo = try await installation.address(of: "echo", on: "n2")
    for node in Installation.nodes {
      let through = HeldConnections(installation: installation, pod: clients.0, number: 10)
      let beside = HeldConnections(installation: installation, pod: clients.1, number: 5)
      try await through.open(to: echo, port: 9000)
      try await beside.open(to: echo, port: 9000)
      let load = try await installation.load(in: clients.0)
      try await load.waitForAnswers(30)
      try await installation.kill("ztunnel", on: node)
      try await eventually("the connections through \(node) have ended", within: .seconds(60)) {
        try await through.ended() == 10
      }
      try await installation.waitUntilHealthy()
      try await load.waitForAnswers(100)
      let tally = try await load.finish()
      print("ztunnel of \(node) killed: \(tally)")
      // The one request at a time may have been on its way.
      #expect(tally.bad <= 1 && tally.good > 100, "\(tally)")
      #expect(tally.counts.keys.allSatisfy { !$0.contains("refused") }, "\(tally)")
      if node == "n1" { try await beside.expectAlive() }
      try await beside.close()
    }
  }

  @Test func `goes on while kubelet and containerd are killed, and enrols new pods after it`()
    async throws
  {
    try await installation.enrol("shop")
    let client = try await installation.client(on: "n1")
    let held = HeldConnections(installation: installation, pod: client, number: 10)
    try await held.open(to: try await installation.address(of: "echo", on: "n2"), port: 9000)
    let load = try await installation.load(in: client)
    for program in ["kubelet", "containerd"] {
      try await load.waitForAnswers(30)
      try await installation.kill(program, on: "n2")
      try await eventually("\(program) runs again", within: .seconds(60)) {
        try await !installation.onNode("n2", "pgrep -x \(program)", expecting: nil).isEmpty
      }
    }
    try await installation.with(Self.late) {
      try await installation.kubectl(
        "-n", "shop", "wait", "--for=condition=Ready", "pod/late", "--timeout=90s")
      try await eventually("the new pod is enrolled", within: .seconds(60)) {
        try await installation.status(on: "n2", "pods").array.contains {
          $0["name"].string == "late" && $0["state"].string == "enrolled"
        }
      }
      #expect(try await installation.curl("http://web/", in: "late").hasPrefix("n"))
    }
    try await held.expectAlive()
    try await held.close()
    try await load.expectAllGood()
    for node in Installation.nodes {
      let status = try await installation.pod("web", on: node)["status"]
      #expect(status["containerStatuses"].array.first?["restartCount"].int == 0)
    }
  }

  @Test func `takes the endpoints of a node that is not ready away without a failed request`()
    async throws
  {
    try await installation.enrol("shop")
    let client = try await installation.client(on: "n1")
    let load = try await installation.load(in: client)
    try await load.waitForAnswers(30)
    try await installation.kill("kubelet", on: "n2", with: "STOP")
    let outcome: Result<Void, any Error>
    do {
      try await installation.waitForNode("n2", ready: "Unknown")
      try await eventually("n1 alone answers", within: .seconds(60)) {
        try await installation.answers("http://web/", 8, in: client) == ["n1\n"]
      }
      outcome = .success(())
    } catch {
      outcome = .failure(error)
    }
    try await installation.kill("kubelet", on: "n2", with: "CONT")
    try outcome.get()
    try await installation.waitForNode("n2", ready: "True")
    try await eventually("both answer again", within: .seconds(60)) {
      try await installation.answers("http://web/", 8, in: client) == ["n1\n", "n2\n"]
    }
    try await load.expectAllGood()
    try await installation.waitUntilHealthy()
  }

  @Test func `serves and enforces the last good state without control plane and node agents`()
    async throws
  {
    try await installation.enrol("shop")
    let client = try await installation.client(on: "n1")
    try await installation.with(Self.strict) {
      try await eventually("a stranger is refused") { try await isStrangerRefused() }
      let load = try await installation.load(in: client)
      try await installation.scaleControlPlane(to: 0)
      for node in Installation.nodes { try await installation.kill("node-agent", on: node) }
      try await eventually("node agents run again, with nobody to ask", within: .seconds(90)) {
        for node in Installation.nodes
        where try await installation.status(on: node, "node")["processID"].int == nil {
          return false
        }
        return true
      }
      try await installation.waitUntilEnrolled("shop")
      // The second time a container ends so soon, the kubelet waits before it starts it again.
      for node in Installation.nodes { try await installation.kill("node-agent", on: node) }
      try await load.waitForAnswers(100)
      #expect(try await isStrangerRefused())
      try await installation.scaleControlPlane(to: 2)
      try await installation.waitUntilHealthy()
      try await installation.waitUntilEnrolled("shop")
      #expect(try await isStrangerRefused())
      try await load.expectAllGood()
    }
  }

  @Test func `ends the connections through a node when its image is upgraded, and recovers`()
    async throws
  {
    try await installation.enrol("shop")
    let next = "localhost/skein:next"
    for node in Installation.nodes {
      try await installation.onNode(
        node, "ctr -n k8s.io images tag --force \(Installation.image) \(next)")
    }
    let client = try await installation.client(on: "n1")
    let held = HeldConnections(installation: installation, pod: client, number: 10)
    try await held.open(to: try await installation.address(of: "echo", on: "n2"), port: 9000)
    let load = try await installation.load(in: client)
    try await load.waitForAnswers(30)
    try await installation.kubectl(
      "-n", "skein-system", "set", "image", "daemonset/node-agent", "node-agent=\(next)",
      "ztunnel=\(next)")
    try await installation.kubectl(
      "-n", "skein-system", "rollout", "status", "daemonset/node-agent", "--timeout=170s",
      within: .seconds(180))
    try await installation.waitUntilHealthy()
    try await installation.waitUntilEnrolled("shop")
    try await load.waitForAnswers(30)
    let tally = try await load.finish()
    print("image upgraded: \(try await held.ended()) of 10 connections ended; \(tally)")
    #expect(try await held.ended() == 10)
    #expect(tally.good > 60, "\(tally)")
    let after = try await installation.load(in: client)
    try await after.waitForAnswers(100)
    try await after.expectAllGood()
  }

  private func isStrangerRefused() async throws -> Bool {
    try await installation.curl("http://web.shop/", in: "outsider", of: "default")
      .isRefusal
  }

  private static let strict = """
    apiVersion: security.istio.io/v1
    kind: PeerAuthentication
    metadata: {name: default, namespace: shop}
    spec: {mtls: {mode: STRICT}}
    """

  private static let late = """
    apiVersion: v1
    kind: Pod
    metadata: {name: late, namespace: shop}
    spec:
      nodeName: n2
      terminationGracePeriodSeconds: 1
      containers: [{name: late, image: localhost/app:1, command: [/bin/sleep, inf]}]
    """
}

extension Installation {
  func address(of app: String, on node: String) async throws -> String {
    try #require(try await pod(app, on: node)["status"]["podIP"].string)
  }

  /// What so many calls hear.
  func answers(_ url: String, _ number: Int, in pod: String) async throws -> Set<String> {
    var heard: Set<String> = []
    for _ in 0..<number { heard.insert(try await curl(url, in: pod)) }
    return heard
  }

  func waitForNode(_ node: String, ready status: String) async throws {
    let path = "jsonpath={.status.conditions[?(@.type==\"Ready\")].status}"
    try await eventually("\(node) has Ready=\(status)", within: .seconds(120)) {
      try await kubectl("get", "node", node, "-o", path).standardOutput == status
    }
  }

  func scaleControlPlane(to number: Int) async throws {
    try await kubectl(
      "-n", "skein-system", "scale", "deployment/control-plane", "--replicas=\(number)")
    try await eventually("\(number) control planes", within: .seconds(90)) {
      let pods = try await kubectl(
        "-n", "skein-system", "get", "pods", "-l", "app.kubernetes.io/name=control-plane", "-o",
        "name")
      return pods.standardOutput.split(separator: "\n").count == number
    }
  }
}
