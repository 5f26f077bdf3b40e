import KubernetesClient
import Linux
import Manifests
import MeshCompiler
import NodeHarness
import Testing
import TestSupport

@testable import SkeinCLI

private let root = "/" + #filePath.split(separator: "/").dropLast(3).joined(separator: "/")

private func settings(_ profile: Profile? = nil) -> InstallationSettings {
  var choices = InstallationChoices()
  choices.profile = profile
  return InstallationSettings(image: "registry.example/skein:1", choices: choices)
}

private func text(_ plan: InstallationPlan) -> String {
  plan.objects.map(\.yaml).joined(separator: "---\n")
}

/// Objects without the lines they stand on.
private func read(_ text: String) throws -> [String] {
  let read = ManifestText(Array(text.utf8), file: "x")
  #expect(read.diagnostics.isEmpty, "\(read.diagnostics)")
  return read.objects.map { String(decoding: $0.root.json, as: UTF8.self) }
}

@Suite(.fewAtOnce) struct `The plan of an installation` {
  @Test func `is made of the manifests as they are`() throws {
    #expect(installationManifests.count == 6)
    for (file, text) in installationManifests {
      let written = try File.readText("\(root)/manifests/\(file)")
      #expect(text == written, "\(file): run scripts/embed.sh")
    }
  }

  @Test func `differs by default from the manifests in nothing but the image`() throws {
    let plan = InstallationPlan(settings())
    let written = InstallationPlan.written(for: "skein-system").map {
      String(decoding: $0.json, as: UTF8.self)
        .replacing("\"image\":\"skein\"", with: "\"image\":\"registry.example/skein:1\"")
    }
    #expect(plan.objects.map { String(decoding: $0.json, as: UTF8.self) } == written)
    #expect(
      plan.unwanted.isEmpty && plan.objects.compactMap(InstalledObject.init).count == written.count)
  }

  @Test(arguments: Profile.allCases)
  func `is printed as YAML that means the same`(profile: Profile) throws {
    let plan = InstallationPlan(settings(profile))
    #expect(
      try read(text(plan)) == plan.objects.map { String(decoding: $0.json, as: UTF8.self) })
  }

  @Test func `of the minimal profile chains nothing and has one replica`() {
    let plan = InstallationPlan(settings(.minimal))
    #expect(!text(plan).contains("cni") && text(plan).contains("replicas: 1\n"))
    #expect(plan.unwanted.compactMap { $0["kind"]?.text } == ["PodDisruptionBudget"])
    #expect(!text(plan).contains("PodDisruptionBudget"))
  }

  @Test func `of the demo profile enrols by the label of injection, on both sides`() {
    let plan = InstallationPlan(settings(.demo))
    #expect(text(plan).split(separator: "\"--enroll-injection-label\"").count == 3)
    #expect(text(plan).contains("--cni-conf-dir"))
  }

  @Test func `takes what differs between clusters`() throws {
    var settings = settings()
    settings.namespace = "mesh"
    settings.choices.replicas = 3
    settings.choices.trustDomain = "example.org"
    settings.choices.cniConfDir = "/var/lib/k3s/net.d"
    settings.choices.cniBinDir = "/var/lib/k3s/bin"
    settings.choices.probeProcess = "k3s-agent"
    let text = text(InstallationPlan(settings))
    for part in [
      "replicas: 3\n", "\"--cni-conf-dir=/var/lib/k3s/net.d\"", "path: \"/var/lib/k3s/bin\"",
      "mountPath: \"/var/lib/k3s/net.d\"", "\"--probe-process=k3s-agent\"",
      "\"--server-name=control-plane.mesh.svc\"", "PodDisruptionBudget",
    ] {
      #expect(text.contains(part), "\(part)")
    }
    #expect(text.split(separator: "\"--trust-domain=example.org\"").count == 3)
    for part in ["skein-system", "/opt/cni", "/etc/cni", "--probe-process=kubelet"] {
      #expect(!text.contains(part), "\(part)")
    }
  }

  @Test(arguments: [
    ("a", "a\n"), ("true", "\"true\"\n"), ("1", "\"1\"\n"), ("", "\"\"\n"), ("a: b", "\"a: b\"\n"),
    ("a\nb", "\"a\\u000ab\"\n"), ("-", "\"-\"\n"), ("No", "\"No\"\n"), ("a/b.c-d", "a/b.c-d\n"),
  ])
  func `writes words so that nothing else is read`(word: String, yaml: String) {
    #expect(ManifestValue.text(word).yaml == yaml)
  }

  struct Row: Sendable {
    var spec: Int64
    var status: [String: Int64]
    var isDone: Bool
  }

  @Test(arguments: [
    Row(spec: 2, status: [:], isDone: false),
    Row(
      spec: 2,
      status: [
        "observedGeneration": 4, "replicas": 2, "updatedReplicas": 2, "availableReplicas": 2,
      ], isDone: true),
    Row(
      spec: 2,
      status: [
        "observedGeneration": 3, "replicas": 2, "updatedReplicas": 2, "availableReplicas": 2,
      ], isDone: false),
    Row(
      spec: 2,
      status: [
        "observedGeneration": 4, "replicas": 3, "updatedReplicas": 2, "availableReplicas": 2,
      ], isDone: false),
    Row(
      spec: 1,
      status: [
        "observedGeneration": 4, "replicas": 1, "updatedReplicas": 1, "availableReplicas": 0,
      ], isDone: false),
  ])
  func `is carried out when only the new runs, everywhere`(row: Row) {
    let status = row.status.reduce([:] as ManifestValue) { $0.with($1.key, .whole($1.value)) }
    let object: ManifestValue = [
      "metadata": ["generation": .whole(4)], "spec": ["replicas": .whole(row.spec)],
      "status": status,
    ]
    #expect(Rollout(deployment: object).isDone == row.isDone)
    #expect(!Rollout(deployment: nil).isDone && !Rollout(daemonSet: nil).isDone)
  }
}

private let deployment = "/apis/apps/v1/namespaces/skein-system/deployments/control-plane"
private let daemonSet = "/apis/apps/v1/namespaces/skein-system/daemonsets/node-agent"

@Suite(.serialized, .fewAtOnce) struct `An installation` {
  /// Once both workloads are applied, their controllers have brought them up.
  private static func cluster() -> ScriptedMesh {
    let mesh = ScriptedMesh.healthy()
    mesh.remove(deployment)
    mesh.put("/apis/policy/v1", ["resources": [["name": "poddisruptionbudgets"]]])
    mesh.onWrite { mesh, write in
      switch write {
      case "PATCH \(deployment)":
        mesh.put(
          deployment,
          [
            "spec": ["replicas": 2],
            "status": [
              "observedGeneration": 1, "replicas": 2, "updatedReplicas": 2, "availableReplicas": 2,
            ],
          ])
      case "PATCH \(daemonSet)":
        mesh.put(
          daemonSet,
          [
            "spec": ["template": ["spec": ["containers": [["image": "old/skein:1"]]]]],
            "status": [
              "observedGeneration": 1, "desiredNumberScheduled": 2, "updatedNumberScheduled": 2,
              "numberReady": 2,
            ],
          ])
      default: break
      }
    }
    return mesh
  }

  @Test func `is applied object by object, waited for and looked at`() async throws {
    let mesh = Self.cluster()
    let output = try await mesh.skein("install", "--image", "registry.example/skein:1")
    #expect(output.standardOutput.hasPrefix("mesh in skein-system: healthy"), "\(output)")
    #expect(mesh.writes.first?.hasPrefix("PATCH /api/v1/namespaces/skein-system ") == true)
    #expect(mesh.writes.count == installationObjects)
    #expect(
      mesh.writes.contains {
        $0.hasPrefix("PATCH \(daemonSet)") && $0.contains("registry.example/skein:1")
      })
    #expect(mesh.has("/apis/policy/v1/namespaces/skein-system/poddisruptionbudgets/control-plane"))
    // Again, without saying from where: the image stays.
    let again = try await mesh.skein("install", "--profile", "minimal", "--wait=false")
    #expect(again.standardOutput.isEmpty)
    #expect(
      mesh.writes.last { $0.hasPrefix("PATCH \(daemonSet)") }?.contains("old/skein:1") == true)
    #expect(!mesh.has("/apis/policy/v1/namespaces/skein-system/poddisruptionbudgets/control-plane"))
  }

  @Test func `keeps what it was told before, but for what it is told now`() async throws {
    let mesh = Self.cluster()
    let told = #"{"cniBinDir":"/opt/k3s/bin","profile":"demo","trustDomain":"example.org"}"#
    let annotations = { (text: String) -> ScriptedMesh.Fields in
      [
        "metadata": ["annotations": [InstallationChoices.annotation: text]],
        "spec": ["template": ["spec": ["containers": [["image": "old/skein:1"]]]]],
      ]
    }
    let applied = { mesh.writes.last { $0.hasPrefix("PATCH \(daemonSet)") } ?? "" }
    mesh.put(daemonSet, annotations(told))
    let next = try await mesh.skein("install", "--no-enroll-injection-label", "--wait=false")
    #expect(applied().contains("--trust-domain=example.org"))
    #expect(applied().contains("--cni-bin-dir=/opt/k3s/bin"))
    #expect(!applied().contains("\"--enroll-injection-label\""))
    #expect(
      next.standardError.contains(
        "as installed: --profile demo --trust-domain example.org --cni-bin-dir /opt/k3s/bin "
          + "--no-enroll-injection-label; --reset forgets"), "\(next)")
    let kept = try #require(applied().firstRange(of: InstallationChoices.annotation))
    #expect(applied()[kept.upperBound...].contains(#"\"enrollInjectionLabel\":false"#))

    mesh.put(daemonSet, annotations(told))
    _ = try await mesh.skein("install", "--reset", "--profile", "minimal", "--wait=false")
    #expect(!applied().contains("example.org") && applied().contains("old/skein:1"))

    mesh.put(daemonSet, annotations("{"))
    let before = mesh.writes.count
    let refused = try await mesh.skein("install", "--wait=false", expecting: 1)
    #expect(refused.standardError.contains("give --reset") && mesh.writes.count == before)
  }

  private let installationObjects = InstallationPlan.written(for: "x").count

  @Test func `leaves out what an old cluster does not know`() async throws {
    let mesh = Self.cluster()
    mesh.remove("/apis/policy/v1")
    mesh.put("/readyz")
    let output = try await mesh.skein("install", "--image", "x")
    #expect(output.standardError.contains("older than Kubernetes 1.21"))
    #expect(mesh.writes.count == installationObjects - 1)
  }

  @Test func `that is not done in time says what is missing`() async throws {
    let mesh = Self.cluster()
    mesh.onWrite { _, _ in }
    let output = try await mesh.skein("install", "--image", "x", "--timeout", "2s", expecting: 1)
    #expect(
      output.standardError.contains("not done in time: control plane: 0 of 2 replicas"), "\(output)"
    )
  }

  @Test func `needs an image, and touches no cluster when it is only printed`() async throws {
    let mesh = Self.cluster()
    let output = try await mesh.skein("install", expecting: 1)
    #expect(output.standardError.contains("give --image"))
    _ = try await mesh.skein("install", "--dry-run", expecting: 2)
    let printed = try await mesh.skein("install", "--dry-run", "--image", "x")
    #expect(try read(printed.standardOutput).count == installationObjects)
    #expect(mesh.writes.isEmpty)
  }

  @Test func `is taken away agents first, and nothing is left`() async throws {
    let mesh = Self.cluster()
    _ = try await mesh.skein("install", "--image", "x")
    mesh.put("/api/v1/namespaces/skein-system")
    mesh.put("/api/v1/namespaces/shop", ["metadata": ["labels": [Membership.label: "ambient"]]])
    mesh.put("/api/v1/namespaces/shop/configmaps/skein-ca-root-cert")
    mesh.put("/api/v1/namespaces/shop/configmaps/other")
    mesh.onWrite { mesh, write in
      guard write == "DELETE \(daemonSet)" else { return }
      for number in 1...2 { mesh.remove("/api/v1/namespaces/skein-system/pods/agent-\(number)") }
    }
    let before = mesh.writes.count
    let asked = try await mesh.skein("uninstall", expecting: 1)
    #expect(asked.standardError.contains("give --yes") && mesh.writes.count == before)
    let planned = try await mesh.skein("uninstall", "--dry-run")
    #expect(planned.standardOutput.contains("DaemonSet skein-system/node-agent\n"))
    #expect(mesh.writes.count == before)
    let output = try await mesh.skein("uninstall", "--yes")
    #expect(mesh.writes[before] == "DELETE \(daemonSet)")
    #expect(mesh.writes.contains("DELETE /api/v1/namespaces/skein-system"))
    #expect(mesh.writes.last == "DELETE /api/v1/namespaces/shop/configmaps/skein-ca-root-cert")
    #expect(output.standardOutput.contains("nothing is left"))
    #expect(output.standardOutput.contains("the namespace shop still asks for a mesh"))
    let again = try await mesh.skein("uninstall", "--yes")
    #expect(again.standardOutput.contains("nothing is installed"))
  }

  @Test func `stays as it is while a node agent does not end`() async throws {
    let mesh = Self.cluster()
    _ = try await mesh.skein("install", "--image", "x")
    let output = try await mesh.skein("uninstall", "--yes", "--timeout", "2s", expecting: 1)
    #expect(output.standardError.contains("2 node agents release their pods: agent-1, agent-2"))
    #expect(!mesh.writes.contains { $0.hasPrefix("DELETE /apis/rbac") }, "they need their rights")
  }
}
