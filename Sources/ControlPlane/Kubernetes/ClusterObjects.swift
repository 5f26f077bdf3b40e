import KubernetesClient
import MeshCompiler
import MeshModel

/// The objects of a cluster, and which version of each is in force.
///
/// In a cluster many people write, so one wrong object is its writer's trouble alone: it keeps its
/// last good version; a policy that never had one denies what it applies to; any other is left out
/// (docs/decisions/0008). What is refused is named, and everything else goes on.
struct ClusterObjects: Sendable {
  private struct Entry: Sendable {
    /// As the API has it; nil when it is beyond what is read.
    var written: ManifestObject?
    var inForce: ManifestObject?
    var lastGood: ManifestObject?
    var findings: [Diagnostic] = []
  }

  private let options: CompilerOptions
  private let conflictRounds: Int
  private var entries: [String: Entry] = [:]
  /// What is in force, by source, but for `pending`.
  private var compiler: Compiler
  /// The sources that the compiler is still to be told of.
  private var pending: Set<String> = []
  /// The sources with findings of their own.
  private var refused: Set<String> = []
  /// The sources in force that claim an address, by address.
  private var claimants: [String: Set<String>] = [:]

  init(options: CompilerOptions, conflictRounds: Int = Limit.conflictRounds) {
    self.options = options
    self.conflictRounds = conflictRounds
    compiler = Compiler(options: options)
  }

  var count: Int { entries.count }

  /// Takes changes of one kind in; false when they mean nothing to the mesh.
  mutating func take(_ changes: [Reflector.Change], kind: String) -> Bool {
    var isNew = false
    for change in changes {
      switch change {
      case .applied(let object): isNew = apply(object, kind) || isNew
      case .removed(let name): isNew = remove(source(kind, name)) || isNew
      case .refused(let object): isNew = refuse(object, kind) || isNew
      }
    }
    return isNew
  }

  /// `Pod/shop/web`: where a finding says it was found.
  private func source(_ kind: String, _ name: ObjectName) -> String { "\(kind)/\(name)" }

  private mutating func apply(_ object: WatchedObject, _ kind: String) -> Bool {
    let source = source(kind, object.name)
    let written = ManifestObject(file: source, document: 0, root: object.root)
    guard entries[source]?.written != written else { return false }
    let errors = ownErrors(written, kind)
    var entry = Entry(written: written)
    if errors.isEmpty {
      (entry.inForce, entry.lastGood) = (written, written)
    } else {
      substitute(&entry, errors, kind, object.name)
    }
    put(entry, at: source)
    return true
  }

  private mutating func remove(_ source: String) -> Bool {
    guard entries[source] != nil else { return false }
    put(nil, at: source)
    return true
  }

  private mutating func refuse(_ object: RefusedObject, _ kind: String) -> Bool {
    let source = source(kind, object.name)
    let name = Diagnostic.ObjectName(
      kind: kind, namespace: object.name.namespace, name: object.name.name)
    let error = Diagnostic(
      .error, .tooLarge, file: source, object: name, message: object.reason)
    var entry = Entry()
    substitute(&entry, [error], kind, object.name)
    guard entries[source]?.findings != entry.findings else { return false }
    put(entry, at: source)
    return true
  }

  private mutating func put(_ entry: Entry?, at source: String) {
    for address in entries[source]?.inForce?.addresses ?? [] {
      claimants[address]?.remove(source)
      if claimants[address]?.isEmpty ?? false { claimants[address] = nil }
    }
    for address in entry?.inForce?.addresses ?? [] {
      claimants[address, default: []].insert(source)
    }
    entries[source] = entry
    pending.insert(source)
    if entry?.findings.isEmpty ?? true { refused.remove(source) } else { refused.insert(source) }
  }

  /// What stands in for a version that cannot be used.
  private func substitute(
    _ entry: inout Entry, _ errors: [Diagnostic], _ kind: String, _ name: ObjectName
  ) {
    let effect: String
    if let good = entries[source(kind, name)]?.lastGood {
      (entry.inForce, entry.lastGood) = (good, good)
      effect = "its last good version stays in force"
    } else if let stricter = stricterPolicy(kind, name, entry.written) {
      entry.inForce = ManifestObject(file: source(kind, name), document: 0, root: stricter.root)
      effect = stricter.effect
    } else {
      effect = "it is left out"
    }
    entry.findings = errors.map { $0.refused(effect) }
  }

  /// What is wrong with an object by itself.
  private func ownErrors(_ object: ManifestObject, _ kind: String) -> [Diagnostic] {
    var objects = [object]
    // What a namespace's labels say is read only for what is in it.
    if kind == "Namespace", let name = object.root["metadata"]?["name"]?.text {
      objects.append(
        ManifestObject(
          file: "", document: 0,
          root: [
            "apiVersion": "v1", "kind": "Service",
            "metadata": ["name": "a", "namespace": .text(name)],
          ]))
    }
    return compile(objects: objects, options: options).diagnostics
      .filter { $0.severity == .error && $0.file == object.file }
  }
}

extension ClusterObjects {
  /// What the objects mean together; it depends on them alone, not on what was asked before.
  ///
  /// Of two that claim one address the later one is left out, until the other is gone. An error is
  /// left only where no mesh can be made at all.
  mutating func compiled() -> Compilation {
    tellCompiler()
    var leftOut: Set<String> = []
    // They come back before the next answer: the other one may be gone by then.
    defer { pending = leftOut }
    var findings = refused.flatMap { entries[$0]?.findings ?? [] }
    for _ in 0..<conflictRounds {
      var compilation = compiler.compiled()
      let conflicts = compilation.diagnostics.filter(\.isConflict)
      if conflicts.isEmpty {
        compilation.diagnostics = (findings + compilation.diagnostics.map(\.demoted)).sorted()
        return compilation
      }
      for conflict in conflicts where !leftOut.contains(conflict.file) {
        for loser in losers(of: conflict, leftOut) {
          leftOut.insert(loser)
          compiler.remove(source: loser)
          findings.append(conflict.leavingOut(loser))
        }
      }
    }
    findings.append(
      Diagnostic(
        .error, .duplicateAddress, file: "",
        message: "expected addresses of their own; conflicts in \(conflictRounds) rounds"))
    return Compilation(diagnostics: findings.sorted())
  }

  /// What turns the model as it was when this was called before into the one of now; to be called
  /// only after a compilation without errors, else the compiler holds half of one.
  mutating func takeChange() -> ModelChange { compiler.takeChange() }

  private mutating func tellCompiler() {
    for source in pending {
      if let object = entries[source]?.inForce {
        compiler.update(source: source, objects: [object])
      } else {
        compiler.remove(source: source)
      }
    }
  }

  /// Whom a conflict leaves out: the one it is said of, or all others when that one comes first.
  private func losers(of conflict: Diagnostic, _ leftOut: Set<String>) -> [String] {
    guard let own = entries[conflict.file]?.inForce else { return [] }
    let sources = own.addresses.reduce(into: Set<String>()) { all, address in
      all.formUnion(claimants[address] ?? [])
    }
    let others = sources.subtracting(leftOut).subtracting([conflict.file])
      .compactMap { entries[$0]?.inForce }
    let isFirst = others.allSatisfy { Precedence(own) < Precedence($0) }
    return isFirst && !others.isEmpty ? others.map(\.file) : [conflict.file]
  }
}

extension ManifestObject {
  /// The addresses a pod or a service claims for itself, as written.
  fileprivate var addresses: Set<String> {
    let (spec, status) = (root["spec"], root["status"])
    switch root["kind"]?.text {
    case "Pod":
      let isShared = spec?["hostNetwork"]?.content == .boolean(true)
      let isOver = ["Succeeded", "Failed"].contains(status?["phase"]?.text ?? "")
      if isShared || isOver { return [] }
      let several = status?["podIPs"]?.items.compactMap { $0["ip"]?.text } ?? []
      return Set(several + [status?["podIP"]?.text].compactMap(\.self))
    case "Service":
      let several = spec?["clusterIPs"]?.items.compactMap(\.text) ?? []
      let outside = status?["loadBalancer"]?["ingress"]?.items.compactMap { $0["ip"]?.text } ?? []
      return Set(several + outside + [spec?["clusterIP"]?.text].compactMap(\.self))
        .subtracting(["", "None"])
    default:
      return []
    }
  }
}

/// Who comes first, and so keeps an address that two claim: of pods the one that lives and was made
/// last, for an address is given again once its pod has died; else what was made first.
private struct Precedence: Comparable {
  private var isLeaving: Bool
  private var created: String
  private var isPod: Bool
  private var file: String

  init(_ object: ManifestObject) {
    let metadata = object.root["metadata"]
    file = object.file
    isPod = object.root["kind"]?.text == "Pod"
    isLeaving = metadata?["deletionTimestamp"] != nil
    created = metadata?["creationTimestamp"]?.text ?? ""
  }

  static func < (a: Self, b: Self) -> Bool {
    if a.isPod != b.isPod { return a.isPod }
    if a.isPod, a.isLeaving != b.isLeaving { return b.isLeaving }
    if a.created != b.created { return a.isPod ? a.created > b.created : a.created < b.created }
    return a.file < b.file
  }
}

extension Diagnostic {
  /// Two objects want what only one can have.
  fileprivate var isConflict: Bool {
    guard severity == .error, !file.isEmpty else { return false }
    switch code {
    case .duplicateAddress, .duplicateObject: return true
    case .invalidValue: return field == "metadata.uid"
    case .unreadable, .tooLarge, .notText, .syntax, .duplicateKey, .tooDeep, .tooManyNodes,
      .notAnObject, .missing, .wrongType, .unknownKind, .unknownField, .selectsNothing,
      .unresolved, .notCovered, .ignored, .notEnforcedAsWritten:
      return false
    }
  }

  fileprivate func refused(_ effect: String) -> Diagnostic {
    var finding = self
    finding.severity = .refusal
    finding.message = "\(message); \(effect)"
    return finding
  }

  /// The same conflict, said of the one that is left out.
  fileprivate func leavingOut(_ loser: String) -> Diagnostic {
    guard loser != file, let object else { return refused("it is left out") }
    let parts = loser.split(separator: "/").map(String.init)
    var finding = refused("it is left out")
    finding.file = loser
    finding.object = ObjectName(
      kind: parts[0], namespace: parts.count > 2 ? parts[1] : "", name: parts[parts.count - 1])
    finding.field = ""
    finding.message = "expected addresses of its own; \(object) comes first; it is left out"
    return finding
  }

  /// An error between objects that stands as the compiler left it: each is good by itself.
  fileprivate var demoted: Diagnostic {
    severity == .error && object != nil ? refused("the stricter reading is in force") : self
  }
}
