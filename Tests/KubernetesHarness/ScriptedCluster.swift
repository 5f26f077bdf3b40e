import Foundation
import Synchronization

/// Objects that can be read, made, changed and watched: as much of an API server as replicas need
/// that write to the same objects.
package final class ScriptedCluster: Sendable {
  private struct Stored {
    var plural: String
    var namespace: String
    var name: String
    var json: String

    var key: String { "\(plural)/\(namespace)/\(name)" }
  }

  /// Which objects a list or a watch is of; nil: of all.
  private struct Scope {
    var plural: String
    var namespace: String?
    var name: String?

    func holds(_ object: Stored) -> Bool {
      object.plural == plural && (namespace ?? object.namespace) == object.namespace
        && (name ?? object.name) == object.name
    }
  }

  private struct State {
    var version = 1
    var objects: [String: Stored] = [:]
    /// Everything that ever happened, as a watch tells it.
    var history: [(version: Int, object: Stored, line: String)] = []
    var watches: [(scope: Scope, feed: Feed)] = []
    var writes: [String] = []
  }

  private let state = Mutex(State())
  private let plurals = ["configmaps", "leases", "namespaces", "secrets"]

  package init() {}

  /// Runs `body` beside a server of these objects.
  package func run(_ body: (ScriptedServer) async throws -> Void) async throws {
    try await ScriptedServer.run(ScriptedServer.Options(), { self.answer($0) }, body)
  }

  /// Every write over the network that worked, such as `POST configmaps/shop/root`.
  package var writes: [String] { state.withLock(\.writes) }

  /// An object as somebody else writes it, not over the network.
  package func put(_ plural: String, _ namespace: String, _ name: String, _ fields: [String: Any]) {
    var object = fields
    object["metadata"] = ["name": name].merging(
      namespace.isEmpty ? [:] : ["namespace": namespace]
    ) { first, _ in first }
    let text = json(object)
    state.withLock { _ = store(plural, namespace, name, text, &$0) }
  }

  package func remove(_ plural: String, _ namespace: String, _ name: String) {
    state.withLock { state in
      guard let gone = state.objects.removeValue(forKey: "\(plural)/\(namespace)/\(name)") else {
        return
      }
      tell("DELETED", gone, &state)
    }
  }

  /// The texts under `data` of an object; nil when there is none.
  package func data(_ plural: String, _ namespace: String, _ name: String) -> [String: String]? {
    let found = state.withLock { $0.objects["\(plural)/\(namespace)/\(name)"]?.json }
    return found.map { dictionary($0)["data"] as? [String: String] ?? [:] }
  }

  package func answer(_ request: ScriptedServer.Request) -> [ScriptedServer.Piece] {
    // api/v1/… or apis/GROUP/VERSION/…
    let parts = request.path.split(separator: "/").map(String.init)
    var rest = Array(parts.dropFirst(parts.first == "apis" ? 3 : 2))
    if rest.isEmpty {
      let rows = plurals.map { "{\"name\":\"\($0)\"}" }.joined(separator: ",")
      return [.ok("{\"resources\":[\(rows)]}")]
    }
    var namespace: String?
    if rest.count > 2, rest[0] == "namespaces" {
      namespace = rest[1]
      rest.removeFirst(2)
    }
    let (plural, name) = (rest[0], rest.count > 1 ? rest[1] : nil)
    return state.withLock { state in
      if let name { return one(request, plural, namespace ?? "", name, &state) }
      if request.method == "POST" { return create(request, plural, namespace ?? "", &state) }
      let field = request.query["fieldSelector"]?.removingPercentEncoding
      let scope = Scope(
        plural: plural, namespace: namespace,
        name: field.map { String($0.dropFirst("metadata.name=".count)) })
      return request.isWatch ? watch(request, scope, &state) : list(scope, state)
    }
  }

  // MARK: Answers

  private func one(
    _ request: ScriptedServer.Request, _ plural: String, _ namespace: String, _ name: String,
    _ state: inout State
  ) -> [ScriptedServer.Piece] {
    guard let found = state.objects["\(plural)/\(namespace)/\(name)"] else {
      return [.answer(404, statusObject(404, "NotFound"))]
    }
    var object = dictionary(found.json)
    switch request.method {
    case "GET": return [.ok(found.json)]
    case "PUT":
      let next = dictionary(request.body)
      guard version(of: next) == version(of: object) else {
        return [.answer(409, statusObject(409, "Conflict"))]
      }
      object = next
    case "PATCH":
      for (key, value) in dictionary(request.body) {
        let old = object[key] as? [String: Any] ?? [:]
        object[key] = old.merging(value as? [String: Any] ?? [:]) { _, new in new }
      }
    default: return [.answer(405, "{}")]
    }
    state.writes.append("\(request.method) \(found.key)")
    return [.ok(store(plural, namespace, name, json(object), &state))]
  }

  private func create(
    _ request: ScriptedServer.Request, _ plural: String, _ namespace: String, _ state: inout State
  ) -> [ScriptedServer.Piece] {
    let metadata = dictionary(request.body)["metadata"] as? [String: Any]
    let name = metadata?["name"] as? String ?? ""
    guard state.objects["\(plural)/\(namespace)/\(name)"] == nil else {
      return [.answer(409, statusObject(409, "AlreadyExists"))]
    }
    state.writes.append("POST \(plural)/\(namespace)/\(name)")
    return [.answer(201, store(plural, namespace, name, request.body, &state))]
  }

  private func list(_ scope: Scope, _ state: State) -> [ScriptedServer.Piece] {
    let found = state.objects.values.filter(scope.holds).map(\.json)
    return [.ok(KubernetesHarness.list(state.version, found))]
  }

  private func watch(
    _ request: ScriptedServer.Request, _ scope: Scope, _ state: inout State
  ) -> [ScriptedServer.Piece] {
    let feed = Feed()
    let known = Int(request.query["resourceVersion"] ?? "") ?? 0
    for event in state.history where event.version > known && scope.holds(event.object) {
      feed.send(event.line)
    }
    state.watches.append((scope, feed))
    return [.stream, .feed(feed)]
  }

  // MARK: Storing

  private func store(
    _ plural: String, _ namespace: String, _ name: String, _ text: String, _ state: inout State
  ) -> String {
    var object = dictionary(text)
    var metadata = object["metadata"] as? [String: Any] ?? [:]
    metadata["resourceVersion"] = "\(state.version + 1)"
    object["metadata"] = metadata
    let stored = Stored(plural: plural, namespace: namespace, name: name, json: json(object))
    let isNew = state.objects.updateValue(stored, forKey: stored.key) == nil
    tell(isNew ? "ADDED" : "MODIFIED", stored, &state)
    return stored.json
  }

  private func tell(_ type: String, _ object: Stored, _ state: inout State) {
    state.version += 1
    let text = line(type, object.json)
    state.history.append((state.version, object, text))
    for watch in state.watches where watch.scope.holds(object) { watch.feed.send(text) }
  }

  private func version(of object: [String: Any]) -> String? {
    (object["metadata"] as? [String: Any])?["resourceVersion"] as? String
  }
}

private func dictionary(_ text: String) -> [String: Any] {
  do {
    return try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any] ?? [:]
  } catch {
    return [:]
  }
}

private func json(_ object: [String: Any]) -> String {
  do {
    return String(decoding: try JSONSerialization.data(withJSONObject: object), as: UTF8.self)
  } catch {
    preconditionFailure("\(error)")
  }
}
