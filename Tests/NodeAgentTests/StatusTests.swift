import AgentProtocol
import MeshModel
import Testing

@testable import NodeAgent

private let start = WallTime(secondsSinceEpoch: 0)

private func report() -> StatusReport {
  var report = StatusReport(
    node: NodeStatus(
      name: "a", version: "1", trustDomain: "cluster.local", clusterDomain: "cluster.local",
      processID: 7, startedAt: "2026-01-01T00:00:00.000Z", uptimeSeconds: 65,
      configDirectory: "/m", stateDirectory: "/s", isDraining: false, isHealthy: true,
      problems: []),
    redirect: RedirectStatus(
      attachment: "tcx", pinDirectory: "/p", enrolledPods: 1, isProbeBypassActive: false,
      probeCgroup: nil),
    ztunnel: ZTunnelStatus(
      state: "running", processID: 8, cgroup: "/c", isConnected: true, isAdopted: false,
      restarts: 0, lastExit: nil),
    model: ModelStatus(
      generation: 2, enforcedGeneration: 2, timeToEnforceMilliseconds: 3, changedAt: nil,
      workloads: 1, services: 0, policies: 0, isStale: false, errors: 0, refused: 0, warnings: 0,
      diagnostics: [], rejection: nil))
  report.pods = [
    pod("web", state: "enrolled"),
    pod("api-long-name", state: "closed", reason: "the IPv4 canary failed"),
  ]
  return report
}

private func pod(_ name: String, state: String, reason: String? = nil) -> PodStatus {
  PodStatus(
    namespace: "shop", name: name, uid: name, workloadUID: name, identity: "spiffe://t",
    addresses: ["10.0.0.1", "fd00::1"], netns: "/run/netns/x", netnsInode: 1, state: state,
    reason: reason,
    proof: ProofStatus(
      provenAt: "T", checkedAt: "T", canaryIPv4: "passed", canaryIPv6: "not needed", netnsInode: 1,
      netnsCookie: 2, cgroups: ["/"], addresses: [], failures: 0), counters: [:])
}

private func cluster(problem: String?) -> ClusterStatus {
  ClusterStatus(
    server: "https://10.96.0.1:443",
    resources: [
      ClusterStatus.Resource(kind: "Namespace", isSynced: true, objects: 7),
      ClusterStatus.Resource(kind: "Pod", isSynced: true, objects: 3, problem: problem),
    ], findingCount: 1,
    findings: [
      DiagnosticStatus(
        severity: "warning", code: "not-covered", file: "Pod/shop/web", document: 0, line: 0,
        object: "Pod shop/web", field: "", message: "uses the node's network")
    ])
}

@Suite struct `Status for people` {
  @Test func `aligns the columns of pods and tells why one is closed`() {
    #expect(
      report().text(section: .pods, colours: false) == """
        NAMESPACE  POD            STATE     ADDRESSES         IDENTITY    \
        CANARY V4  CANARY V6   PROVEN AT
        shop       web            enrolled  10.0.0.1,fd00::1  spiffe://t  passed     not needed  T
        shop       api-long-name  closed    10.0.0.1,fd00::1  spiffe://t  passed     not needed  T
        shop/api-long-name: the IPv4 canary failed

        """)
  }

  @Test func `shows names and values of the node`() {
    #expect(
      report().text(section: .node, colours: false) == """
        name          a
        health        healthy
        version       1
        trust domain  cluster.local
        process       7
        up            1m05s
        manifests     /m
        state         /s

        """)
  }

  @Test func `shows the cluster that the pods come from, and how far it is followed`() {
    var report = report()
    #expect(report.text(section: .cluster, colours: false) == "pods  placed by the manifests\n")
    report.cluster = cluster(problem: "the API server did not answer in time")
    #expect(
      report.text(section: .cluster, colours: false) == """
        server     https://10.96.0.1:443
        Namespace  7 objects, followed
        Pod        3 objects, out of date: the API server did not answer in time
        Pod/shop/web: warning: Pod shop/web: uses the node's network

        """)
  }

  @Test func `colours only where asked, without moving columns`() {
    let plain = report().text(section: .pods, colours: false)
    let coloured = report().text(section: .pods, colours: true)
    #expect(!plain.contains("\u{1B}"))
    #expect(coloured.contains("\u{1B}[32menrolled\u{1B}[0m  "))
    var stripped = coloured
    for escape in ["\u{1B}[32m", "\u{1B}[31m", "\u{1B}[33m", "\u{1B}[0m"] {
      stripped.replace(escape, with: "")
    }
    #expect(stripped == plain)
  }

  @Test func `says where the CNI plugin is and what it was answered`() {
    var report = report()
    #expect(report.text(section: .cni, colours: false) == "state  off\n")
    report.cni = CNIStatus(
      state: "chained", configDirectory: "/c", programDirectory: "/b", configFile: "10-a.conflist",
      socket: "/s", enrolledNamespaces: ["bank", "shop"], pods: 2, underWay: 1,
      answers: ["notOurs": 3, "enrolled": 2], repairs: 1, problems: ["x"])
    #expect(
      report.text(section: .cni, colours: false) == """
        state      chained
        problem    x
        network    /c/10-a.conflist
        plugin     /b/skein-cni
        socket     /s
        enrolled   bank, shop
        pods       2
        under way  1
        answers    2 enrolled, 3 notOurs
        repairs    1

        """)
  }

  @Test func `has every section under its name`() {
    let text = report().text(section: nil, colours: false)
    for section in StatusSection.allCases { #expect(text.contains(section.rawValue.uppercased())) }
  }

  @Test func `tells one refusal of two records once`() {
    var report = report()
    let record = RefusalStatus(refusal(id: 9, .policy(.unknownWorkload)))
    report.refusals = [record, record]
    let lines = report.text(section: .refusals, colours: false).split(separator: "\n")
    #expect(lines.count == 4)
    #expect(lines.last == "0000000000000009: the destination workload is not known here")
  }

  @Test(arguments: [
    (UInt64(812), "812 B"), (4_404_020, "4.2 MiB"), (1_024, "1.0 KiB"), (1 << 40, "1.0 TiB"),
  ]) func `writes bytes with a unit`(bytes: UInt64, text: String) {
    #expect(byteText(bytes) == text)
  }
}

@Suite struct `Status for programs` {
  @Test func `is the same after JSON and back`() throws {
    let report = report()
    #expect(try decoded(StatusReport.self, from: jsonBytes(of: report)) == report)
  }

  @Test func `has the promised objects`() throws {
    let text = try report().json(section: nil)
    for key in [
      "node", "redirect", "ztunnel", "model", "pods", "certificates", "connections", "tunnels",
      "refusals",
    ] {
      #expect(text.contains("\n  \"\(key)\" : "))
    }
  }

  @Test func `gives one section alone as its own value`() throws {
    #expect(try report().json(section: .pods).hasPrefix("["))
    #expect(try report().json(section: .node).contains("\"isHealthy\" : true"))
  }
}

@Suite struct `Health` {
  @Test func `is good when nothing is wrong, and pods outside the mesh are not wrong`() {
    let report = report()
    let outside = pod("x", state: "notEnrolled", reason: "opted out")
    #expect(
      healthProblems(
        ztunnel: report.ztunnel, model: report.model,
        pods: [pod("web", state: "enrolled"), outside], certificates: [], authority: nil,
        now: WallTime(secondsSinceEpoch: 0)
      ).isEmpty)
  }

  @Test func `waits for pods and generations on their way, not for pods on their way out`() {
    var report = report()
    report.model.generation = 3
    let problems = healthProblems(
      ztunnel: report.ztunnel, model: report.model,
      pods: [pod("web", state: "proving"), pod("old", state: "releasing")],
      certificates: [], authority: nil, now: start)
    #expect(
      problems == [
        "generation 3 is not enforced yet", "pod shop/web is proving, not enrolled yet",
      ])
  }

  @Test func `needs a cluster that is followed`() {
    let report = report()
    func problems(_ cluster: ClusterStatus) -> [String] {
      healthProblems(
        ztunnel: report.ztunnel, model: report.model, pods: [], certificates: [], authority: nil,
        cluster: cluster, now: start)
    }
    #expect(problems(cluster(problem: nil)) == [])
    #expect(
      problems(cluster(problem: "x")) == ["the cluster's Pod objects: may be out of date: x"])
    var unread = cluster(problem: nil)
    unread.resources[0].isSynced = false
    #expect(problems(unread) == ["the cluster's Namespace objects: not read yet"])
  }

  @Test func `names each thing that is wrong`() {
    var report = report()
    report.ztunnel.isConnected = false
    report.model.isStale = true
    report.model.rejection = "generation 3: no"
    let problems = healthProblems(
      ztunnel: report.ztunnel, model: report.model, pods: report.pods, certificates: [],
      authority: "expired", now: start)
    #expect(problems.count == 5)
    #expect(problems.last == "pod shop/api-long-name is closed: the IPv4 canary failed")
  }
}

@Suite struct `Readiness` {
  struct Row: CustomTestStringConvertible, Sendable {
    var testDescription: String
    var problems: [String] = []
    var edit: @Sendable (inout StatusReport) -> Void
  }

  @Test(arguments: [
    Row(testDescription: "is there with a pod in trouble") {
      $0.node.isHealthy = false
      $0.node.problems = ["pod shop/api-long-name is closed"]
    },
    Row(testDescription: "is there with objects that may be out of date") {
      $0.cluster = cluster(problem: "refused")
    },
    Row(testDescription: "is not there on the way out", problems: ["the node agent is leaving"]) {
      $0.node.isDraining = true
    },
    Row(
      testDescription: "needs ztunnel",
      problems: ["ztunnel is not connected (running); see its log"]
    ) { $0.ztunnel.isConnected = false },
    Row(testDescription: "needs a mesh", problems: ["ztunnel has heard of no mesh yet"]) {
      $0.ztunnel.generation = 0
    },
    Row(
      testDescription: "needs to know which pods are here",
      problems: ["the cluster's Pod objects: not read yet: refused"]
    ) {
      $0.cluster = cluster(problem: "refused")
      $0.cluster?.resources[1].isSynced = false
    },
    Row(testDescription: "needs its place in the runtime's network", problems: ["left alone"]) {
      $0.cni = CNIStatus()
      $0.cni?.problems = ["left alone"]
    },
  ])
  func `is the node's alone`(row: Row) {
    var report = report()
    report.ztunnel.generation = 2
    row.edit(&report)
    #expect(report.readinessProblems == row.problems)
  }
}
