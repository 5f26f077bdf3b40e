import KubernetesClient
import MeshCompiler
import MeshModel
import Testing
import TestSupport

@testable import ControlPlane

/// Objects that come, change, go bad and go, compiled step by step.
private struct History {
  var random: SeededGenerator
  var objects = ClusterObjects(options: CompilerOptions())
  /// Of each object the last good version, if there was one, and the version of now.
  var versions: [String: [RandomVersion]] = [:]
  /// The model as the changes told so far make it.
  var followed = Model()

  init(seed: UInt64) { random = SeededGenerator(seed: seed) }

  mutating func step() {
    if random.chance(20), let source = versions.keys.sorted().randomElement(using: &random),
      let gone = versions.removeValue(forKey: source)?.last
    {
      _ = objects.take([.removed(gone.name)], kind: gone.kind)
      return
    }
    let version = random.version()
    let good = versions[version.source]?.first { $0.isGood }
    versions[version.source] = version.isGood ? [version] : [good, version].compactMap(\.self)
    _ = objects.take([version.change], kind: version.kind)
  }

  /// What somebody makes of the same objects who has seen nothing else of them.
  mutating func afresh() -> Compilation {
    var objects = ClusterObjects(options: CompilerOptions())
    for source in versions.keys.sorted().shuffled(using: &random) {
      for version in versions[source] ?? [] {
        _ = objects.take([version.change], kind: version.kind)
      }
    }
    return objects.compiled()
  }
}

@Suite(.fewAtOnce) struct `A cluster compiled step by step` {
  @Test(arguments: UInt64(0)..<8)
  func `means what it means to somebody who comes now`(seed: UInt64) {
    var history = History(seed: seed)
    for number in 0..<90 {
      history.step()
      // Several changes at once now and then.
      if history.random.chance(30) { continue }
      let stepwise = history.objects.compiled()
      let afresh = history.afresh()
      #expect(stepwise.model == afresh.model, "seed \(seed), step \(number)")
      #expect(stepwise.pods == afresh.pods, "seed \(seed), step \(number)")
      #expect(stepwise.diagnostics == afresh.diagnostics, "seed \(seed), step \(number)")
      #expect(!stepwise.hasErrors)
      if stepwise != afresh { return }
      // Now and then nobody asks for the change, and it is then that of several steps.
      if history.random.chance(20) { continue }
      let change = history.objects.takeChange()
      #expect(change == history.followed.change(to: stepwise.model), "seed \(seed), \(number)")
      history.followed.apply(change)
      #expect(history.followed == stepwise.model, "seed \(seed), step \(number)")
    }
  }

  @Test func `holds something of everything`() {
    // Else the test above would compare nothing with nothing.
    var findings: Set<String> = []
    for seed in UInt64(0)..<8 {
      var history = History(seed: seed)
      for number in 0..<90 {
        history.step()
        if number % 6 != 0 { continue }
        let refusals = history.objects.compiled().diagnostics.filter { $0.severity == .refusal }
        findings.formUnion(refusals.map { "\($0.code.rawValue): \($0.message)" })
      }
    }
    for part in [
      "its last good version stays in force", "lets nobody in", "takes mutual TLS only",
      "invalid-value: expected a uid of its own", "duplicate-address: expected an address",
      "comes first; it is left out", "too-large",
    ] {
      #expect(findings.contains { $0.contains(part) }, "\(part)")
    }
  }

  @Test func `tells of the one pod that changed, also beside a conflict`() {
    var objects = ClusterObjects(options: CompilerOptions())
    func put(_ name: String, ip: String, revision: String = "v1") {
      let root: ManifestValue = [
        "apiVersion": "v1", "kind": "Pod",
        "metadata": [
          "name": .text(name), "namespace": "shop", "labels": ["version": .text(revision)],
        ],
        "status": ["podIPs": .list([["ip": .text(ip)]])],
      ]
      let object = WatchedObject(
        name: ObjectName(namespace: "shop", name: name), resourceVersion: "1", root: root)
      _ = objects.take([.applied(object)], kind: "Pod")
    }
    for number in 1...20 { put("p\(number)", ip: "10.0.0.\(number)") }
    put("twin", ip: "10.0.0.1")
    _ = objects.compiled()
    #expect(objects.takeChange().workloads.count == 20)
    put("p7", ip: "10.0.0.7", revision: "v2")
    _ = objects.compiled()
    let change = objects.takeChange()
    #expect(change.workloads.map(\.canonicalRevision) == ["v2"])
    #expect(change.removedWorkloads.isEmpty && change.services.isEmpty)
    _ = objects.compiled()
    #expect(objects.takeChange().isEmpty)
  }
}
