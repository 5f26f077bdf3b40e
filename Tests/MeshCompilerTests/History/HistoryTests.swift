import Manifests
import MeshCompiler
import MeshModel
import Testing

/// Files of random manifests that change at random, compiled step by step.
private struct History {
  var random: RandomManifests
  var files: [String: [String]] = [:]
  var compiler = Compiler()
  /// The model as the changes told so far make it.
  var followed = Model()

  init(seed: UInt64) { random = RandomManifests(seed: seed) }

  func objects(_ file: String) -> [ManifestObject] {
    let text = (files[file] ?? []).joined(separator: "\n---\n")
    return ManifestText(Array(text.utf8), file: file).objects
  }

  /// Changes one file, or takes it away.
  mutating func step() {
    let file = "\(random.below(8)).yaml"
    switch random.below(10) {
    case 0: files[file] = nil
    case 1: files[file] = (0..<random.below(12)).map { _ in random.manifest() }
    case 2:
      // The same object in two places, for a while.
      if let other = files.values.joined().randomElement(using: &random) {
        files[file, default: []].append(other)
      }
    case 3...5:
      var documents = files[file] ?? []
      if !documents.isEmpty { documents.remove(at: random.below(documents.count)) }
      files[file] = documents
    default:
      var documents = files[file] ?? []
      documents.insert(random.manifest(), at: random.below(documents.count + 1))
      if documents.count > 2, random.chance(50) {
        documents.remove(at: random.below(documents.count))
      }
      files[file] = documents
    }
    if files[file] == nil {
      compiler.remove(source: file)
    } else {
      compiler.update(source: file, objects: objects(file))
    }
  }

  /// The same files, compiled at once, in an order that does not matter.
  mutating func afresh() -> Compilation {
    compile(objects: files.keys.shuffled(using: &random).flatMap { objects($0) })
  }
}

@Suite struct `A mesh compiled step by step` {
  @Test(arguments: UInt64(0)..<16)
  func `is the one compiled afresh, whatever its history`(seed: UInt64) {
    var history = History(seed: seed)
    for number in 0..<120 {
      history.step()
      // Several changes at once now and then.
      if history.random.chance(30) { continue }
      let stepwise = history.compiler.compiled()
      let afresh = history.afresh()
      #expect(stepwise.model == afresh.model, "seed \(seed), step \(number)")
      #expect(stepwise.pods == afresh.pods, "seed \(seed), step \(number)")
      #expect(stepwise.diagnostics == afresh.diagnostics, "seed \(seed), step \(number)")
      // As after an error: the change is asked for later, and is then that of several steps.
      if !stepwise.hasErrors || history.random.chance(20) {
        let change = history.compiler.takeChange()
        #expect(change == history.followed.change(to: stepwise.model), "seed \(seed), \(number)")
        history.followed.apply(change)
        #expect(history.followed == stepwise.model, "seed \(seed), step \(number)")
        #expect(history.compiler.takeChange().isEmpty)
      }
      if stepwise != afresh { return }
    }
  }

  @Test func `holds something of everything`() {
    // Else the test above would compare nothing with nothing.
    var codes: Set<Diagnostic.Code> = []
    var workloads: [Workload] = []
    var services: [Service] = []
    for seed in UInt64(0)..<16 {
      var history = History(seed: seed)
      for number in 0..<120 {
        history.step()
        if number % 8 != 0 { continue }
        let mesh = history.compiler.compiled()
        codes.formUnion(mesh.diagnostics.map(\.code))
        workloads += mesh.model.workloads.values
        services += mesh.model.services.values
      }
    }
    #expect(
      codes.isSuperset(of: [
        .duplicateObject, .duplicateAddress, .selectsNothing, .unresolved, .notCovered, .ignored,
        .invalidValue, .unknownKind,
      ]))
    #expect(workloads.contains { !$0.services.isEmpty })
    #expect(
      workloads.contains { workload in workload.services.keys.contains { !isHome($0, workload) } })
    #expect(workloads.contains { !$0.authorizationPolicies.isEmpty })
    #expect(workloads.contains { $0.waypoint != nil })
    #expect(workloads.contains { $0.networkGateway != nil })
    #expect(workloads.contains { $0.locality != Locality() })
    #expect(services.contains { $0.waypoint != nil })
    #expect(services.contains { !$0.subjectAltNames.isEmpty })
    #expect(services.contains { !$0.isCanonical })
  }

  /// Whether a service is of the workload's own namespace.
  private func isHome(_ key: ServiceKey, _ workload: Workload) -> Bool {
    key.namespace == workload.namespace
  }

  @Test func `of objects that say the same again, nothing is told`() {
    var compiler = Compiler()
    let text = [namespace("shop"), pod("a"), service("web", "clusterIP: 10.96.0.1")]
    func update() {
      for (index, manifest) in text.enumerated() {
        let read = ManifestText(Array(manifest.utf8), file: "\(index).yaml")
        compiler.update(source: "\(index)", objects: read.objects)
      }
    }
    update()
    let first = compiler.compiled()
    #expect(compiler.takeChange().workloads.count == 1)
    update()
    #expect(compiler.compiled() == first)
    #expect(compiler.takeChange().isEmpty)
  }

  @Test func `names only the workload of the pod that changed`() {
    var compiler = Compiler()
    func update(_ name: String, _ manifest: String) {
      let read = ManifestText(Array(manifest.utf8), file: "\(name).yaml")
      compiler.update(source: name, objects: read.objects)
    }
    update("shop", namespace("shop"))
    for number in 1...20 {
      update("\(number)", pod("p\(number)", labels: "app: web", ip: "10.0.0.\(number)"))
    }
    update("web", service("web", "clusterIP: 10.96.0.1, selector: {app: web}"))
    _ = compiler.compiled()
    _ = compiler.takeChange()
    update("7", pod("p7", labels: "app: web, version: v2", ip: "10.0.0.7"))
    _ = compiler.compiled()
    let change = compiler.takeChange()
    #expect(change.workloads.map(\.canonicalRevision) == ["v2"])
    #expect(change.services.isEmpty && change.removedWorkloads.isEmpty)
    compiler.remove(source: "7")
    _ = compiler.compiled()
    #expect(compiler.takeChange().removedWorkloads == ["Kubernetes//Pod/shop/p7"])
  }

  @Test func `of too many objects is empty, and whole again with fewer`() {
    var compiler = Compiler()
    let read = ManifestText(Array("\(namespace("shop"))\n---\n\(pod("a"))".utf8), file: "a.yaml")
    compiler.update(source: "a", objects: read.objects)
    let good = compiler.compiled()
    let nothing = ManifestObject(file: "b", document: 1, root: ManifestValue(.null, line: 1))
    compiler.update(source: "b", objects: Array(repeating: nothing, count: Limit.objects))
    let large = compiler.compiled()
    #expect(large.model == Model())
    #expect(large.pods == [])
    #expect(large.diagnostics.map(\.code) == [.tooLarge])
    compiler.remove(source: "b")
    #expect(compiler.compiled() == good)
    #expect(compiler.takeChange() == Model().change(to: good.model))
  }
}
