import KubernetesClient
import MeshCompiler
import MeshModel

/// In which namespaces the root is to be found as it should be, and what to write where it is not.
///
/// Of one ConfigMap nothing is written again for a while, longer each time: another program that
/// wants it otherwise, or a server that refuses, costs a write now and then.
struct RootCopies: Sendable {
  enum Step: Hashable, Sendable {
    case create(ObjectName)
    case correct(ObjectName)

    var name: ObjectName {
      switch self {
      case .create(let name), .correct(let name): name
      }
    }
  }

  private struct Pace: Sendable {
    var writtenAt: Instant
    var rest: Duration
  }

  /// The ConfigMaps in each namespace.
  let names: [String]
  private var namespaces: Set<String> = []
  /// What each says; nil where it has no such key.
  private var found: [ObjectName: String?] = [:]
  private var paces: [ObjectName: Pace] = [:]

  init(names: [String]) {
    self.names = names
  }

  mutating func takeNamespaces(_ changes: [Reflector.Change]) {
    for change in changes {
      switch change {
      // Nothing can be made any more in one that is ending.
      case .applied(let object) where object.root["metadata"]?["deletionTimestamp"] == nil:
        namespaces.insert(object.name.name)
      case .applied(let object): forget(object.name.name)
      case .removed(let name): forget(name.name)
      case .refused(let object): namespaces.insert(object.name.name)
      }
    }
  }

  mutating func takeCopies(_ changes: [Reflector.Change]) {
    for change in changes {
      switch change {
      case .applied(let object):
        found.updateValue(object.root["data"]?[Self.key]?.text, forKey: object.name)
      case .removed(let name): found[name] = nil
      case .refused(let object): found.updateValue(nil, forKey: object.name)
      }
    }
  }

  private mutating func forget(_ namespace: String) {
    namespaces.remove(namespace)
    for name in names { paces[ObjectName(namespace: namespace, name: name)] = nil }
  }

  /// What is not as it should be, by namespace.
  func steps(for root: String) -> [Step] {
    var steps: [Step] = []
    for namespace in namespaces.sorted() {
      for name in names {
        let copy = ObjectName(namespace: namespace, name: name)
        switch found[copy] {
        case nil: steps.append(.create(copy))
        case .some(let text): if text != root { steps.append(.correct(copy)) }
        }
      }
    }
    return steps
  }

  /// Whether it may be written now.
  func isDue(_ name: ObjectName, at now: Instant) -> Bool {
    guard let pace = paces[name] else { return true }
    return now.since(pace.writtenAt) >= pace.rest
  }

  /// It is written now.
  mutating func write(_ name: ObjectName, at now: Instant) {
    var rest = Limit.copyRest
    if let pace = paces[name], now.since(pace.writtenAt) < Limit.copyCalm {
      rest = min(pace.rest * 2, Limit.longestCopyRest)
    }
    paces[name] = Pace(writtenAt: now, rest: rest)
  }

  /// The key that Istio's clients read.
  static let key = "root-cert.pem"
}
