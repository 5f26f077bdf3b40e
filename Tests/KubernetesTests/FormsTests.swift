import Foundation
import Linux
import NodeHarness
import Testing

extension `A cluster`.`with Skein installed from its manifests` {
  @Test func `reaches services with an address, without one, and a StatefulSet's pods by name`()
    async throws
  {
    try await prepareForms()
    try await installation.with(Self.strict) {
      try await eventually("both pods answer for the service") {
        try await answers("http://any-db/", 12).isSuperset(of: ["db-0\n", "db-1\n"])
      }
      // Which of the two a client takes is its own choice.
      try await eventually("the name without an address has those of both pods") {
        let output = try await installation.kubectl(
          "-n", "forms", "exec", "db-0", "--", "nslookup", "db.forms.svc.cluster.local",
          expecting: nil)
        let (first, second) = (try await address("db-0"), try await address("db-1"))
        return output.standardOutput.contains(first) && output.standardOutput.contains(second)
      }
      #expect(try await answers("http://db:8080/", 1).first?.hasPrefix("db-") == true)
      #expect(try await answers("http://db-1.db:8080/", 3) == ["db-1\n"])
      #expect(try await answers("http://db-1.db.forms.svc.cluster.local:8080/", 3) == ["db-1\n"])
      let before = try await address("db-1")
      try await installation.kubectl("-n", "forms", "delete", "pod/db-1", "--wait=false")
      try await eventually("it is another pod", within: .seconds(180)) {
        let now = try await address("db-1")
        return !now.isEmpty && now != before
      }
      try await eventually("the name leads to the new pod", within: .seconds(60)) {
        try await answers("http://db-1.db:8080/", 1) == ["db-1\n"]
      }
    }
  }

  @Test func `lets a NodePort in while it may, and refuses and explains it under STRICT`()
    async throws
  {
    try await prepareForms()
    for node in ["10.250.0.11", "10.250.0.12"] {
      try await eventually("\(node) lets it in") { try await knock(node).hasPrefix("db-") }
    }
    try await installation.with(Self.strict) {
      for node in ["10.250.0.11", "10.250.0.12"] {
        try await eventually("\(node) refuses it") {
          try await knock(node).isRefusal
        }
      }
      try await eventually("a node says why") {
        try await refusals().contains {
          $0["sourceIdentity"].string == nil && $0["direction"].string == "inbound"
            && $0["policy"].string?.contains("strict") == true
            && $0["destination"].string?.hasSuffix(":8080") == true
        }
      }
    }
    try await eventually("it is let in again") {
      try await knock("10.250.0.11").hasPrefix("db-")
    }
  }

  @Test func `leaves exec, logs and port-forward of enrolled pods as they were`() async throws {
    try await prepareForms()
    try await installation.with(Self.strict) {
      let said = try await installation.kubectl("-n", "forms", "exec", "db-0", "--", "hostname")
      #expect(said.standardOutput == "db-0\n")
      let log = try await installation.kubectl("-n", "forms", "logs", "db-0")
      #expect(log.standardOutput.contains("db-0 serves"))
      let forward = try Running([
        Installation.kubectl, "-n", "forms", "port-forward", "pod/db-0", ":8080",
      ])
      try await forward.waitFor("Forwarding from 127.0.0.1:")
      let port = forward.standardOutput.split(separator: ":").dropFirst().first
        .map { $0.prefix { $0.isNumber } }
      let answer = try await NodeHarness.run(
        "curl", "-sS", "-m", "20", "http://127.0.0.1:\(try #require(port))/")
      #expect(answer.standardOutput == "db-0\n")
      forward.signal(.terminate)
      _ = try await forward.finish()
    }
  }

  @Test func `has Jobs and init containers of an enrolled namespace in the mesh from their start`()
    async throws
  {
    try await prepareForms()
    try await installation.with(Self.strict) {
      try await installation.with(Self.job) {
        try await installation.kubectl(
          "-n", "forms", "wait", "--for=condition=Complete", "job/visit", "--timeout=90s")
        for container in ["before", "visit"] {
          let log = try await installation.kubectl(
            "-n", "forms", "logs", "job/visit", "-c", container)
          #expect(log.standardOutput.hasPrefix("db-"), "\(log)")
        }
      }
    }
  }

  @Test func `says of pods on the node's network that it does not cover them`() async throws {
    try await prepareForms()
    try await eventually("n1 names it, and why") {
      let pods = try await installation.status(on: "n1", "pods").array
      return pods.contains {
        $0["name"].string == "host" && $0["state"].string == "notEnrolled"
          && $0["reason"].string == "uses the node's network"
      }
    }
  }

  @Test func `gives a pod's address to the next pod, with its own identity or none`() async throws {
    try await prepareForms()
    try await installation.with(Self.noOld) {
      try await start("old", in: "forms")
      let address = try await address("old")
      try await eventually("it is refused by its name") {
        try await installation.curl("http://any-db/", in: "old", of: "forms")
          .isRefusal
      }
      try await end("old", in: "forms", address: address)
      try await start("new", in: "forms")
      #expect(try await self.address("new") == address)
      for _ in 0..<5 {
        let answer = try await installation.curl("http://any-db/", in: "new", of: "forms")
        #expect(answer.hasPrefix("db-"), "\(answer)")
        #expect(try await answers("http://\(address):8080/", 1) == ["new\n"])
      }
      try await end("new", in: "forms", address: address)
      try await start("plain", in: "default")
      try await installation.with(Self.strict) {
        try await eventually("who is not in the mesh got no identity with it") {
          try await installation.curl("http://any-db.forms/", in: "plain", of: "default")
            .isRefusal
        }
      }
      try await eventually("it is called as who it is") {
        try await answers("http://\(address):8080/", 1) == ["plain\n"]
      }
      try await end("plain", in: "default", address: address)
    }
  }
}

extension `A cluster`.`with Skein installed from its manifests` {
  /// The forms stay until all tests have ended.
  private func prepareForms() async throws {
    try await installation.apply(file: Installation.object("forms"))
    try await installation.kubectl(
      "-n", "forms", "rollout", "status", "statefulset/db", "--timeout=90s")
    try await installation.kubectl(
      "-n", "forms", "wait", "--for=condition=Ready", "pod/host", "--timeout=60s")
  }

  /// What db-0 hears in so many calls.
  private func answers(_ url: String, _ number: Int) async throws -> Set<String> {
    var heard: Set<String> = []
    for _ in 0..<number {
      heard.insert(try await installation.curl(url, in: "db-0", of: "forms"))
    }
    return heard
  }

  /// What a caller outside of every node hears at a node's port.
  private func knock(_ node: String) async throws -> String {
    let output = try await NodeHarness.run(
      "nsenter", "--net=/run/netns/kube-cp", "curl", "-sS", "-m", "5", "http://\(node):30080/",
      expecting: nil)
    return output.status == 0 ? output.standardOutput : output.standardError
  }

  private func refusals() async throws -> [JSON] {
    var all: [JSON] = []
    for node in Installation.nodes {
      all += try await installation.status(on: node, "refusals").array
    }
    return all
  }

  private func address(_ pod: String) async throws -> String {
    try await installation.kubectl(
      "-n", "forms", "get", "pod", pod, "-o", "jsonpath={.status.podIP}", expecting: nil
    ).standardOutput
  }

  /// A pod on n1 that answers with its name.
  private func start(_ name: String, in namespace: String) async throws {
    try await installation.apply(
      """
      apiVersion: v1
      kind: ServiceAccount
      metadata: {name: \(name), namespace: \(namespace)}
      ---
      apiVersion: v1
      kind: Pod
      metadata: {name: \(name), namespace: \(namespace)}
      spec:
        nodeName: n1
        serviceAccountName: \(name)
        terminationGracePeriodSeconds: 1
        containers:
          - name: server
            image: localhost/app:1
            command: [/bin/sh, -c, 'echo \(name) >/www/index.html; exec httpd -f -p 8080 -h /www']
      """)
    try await installation.kubectl(
      "-n", namespace, "wait", "--for=condition=Ready", "pod/\(name)", "--timeout=60s")
  }

  /// Ends it, and has n1 give its address to the next one.
  private func end(_ name: String, in namespace: String, address: String) async throws {
    try await installation.kubectl(
      "-n", namespace, "delete", "pod/\(name)", "serviceaccount/\(name)", "--timeout=170s",
      within: .seconds(180))
    let leases = "/var/lib/cni/networks/k8s-test"
    try await eventually("the address is free") {
      try await installation.onNode("n1", "ls \(leases)/\(address) 2>/dev/null", expecting: nil)
        .isEmpty
    }
    let parts = address.split(separator: ".")
    let last = try #require(parts.last.flatMap { Int($0) })
    let before = "\(parts.dropLast().joined(separator: ".")).\(last - 1)"
    try await installation.onNode("n1", "printf %s \(before) >\(leases)/last_reserved_ip.0")
  }

  private static let strict = """
    apiVersion: security.istio.io/v1
    kind: PeerAuthentication
    metadata: {name: default, namespace: forms}
    spec: {mtls: {mode: STRICT}}
    """

  private static let noOld = """
    apiVersion: security.istio.io/v1
    kind: AuthorizationPolicy
    metadata: {name: no-old, namespace: forms}
    spec:
      action: DENY
      rules:
        - from: [{source: {principals: [cluster.local/ns/forms/sa/old]}}]
    """

  private static let job = """
    apiVersion: batch/v1
    kind: Job
    metadata: {name: visit, namespace: forms}
    spec:
      backoffLimit: 0
      template:
        spec:
          restartPolicy: Never
          initContainers:
            - name: before
              image: localhost/app:1
              command: [curl, -sSf, -m, "20", http://any-db/]
          containers:
            - name: visit
              image: localhost/app:1
              command: [curl, -sSf, -m, "20", http://db-1.db:8080/]
    """
}
