import Foundation
import KubernetesHarness
import NodeHarness
import Synchronization
import Testing

/// A cluster with a mesh, as far as the command line asks: objects under their paths, and what the
/// mesh's programs answer in their pods.
final class ScriptedMesh: Sendable {
  typealias Fields = [String: Any]

  private struct State {
    /// By path, such as `/api/v1/namespaces/shop`; a list is all paths below its own.
    var objects: [String: String] = [:]
    /// By pod and the first words of the command.
    var answers: [String: (code: Int, text: String)] = [:]
    var writes: [String] = []
    /// Called for every write, after it.
    var follow: @Sendable (ScriptedMesh, String) -> Void = { _, _ in }
  }

  private let state = Mutex(State())

  static let program: String = {
    let root = #filePath.split(separator: "/").dropLast(4).joined(separator: "/")
    return ProcessInfo.processInfo.environment["SKEIN"] ?? "/\(root)/.build/debug/skein"
  }()

  /// Every write, such as `PATCH /api/v1/namespaces/shop BODY`.
  var writes: [String] { state.withLock(\.writes) }

  func put(_ path: String, _ fields: Fields = [:]) {
    let parts = path.split(separator: "/").map(String.init)
    var metadata = fields["metadata"] as? Fields ?? [:]
    metadata["name"] = parts.last ?? ""
    if let place = parts.firstIndex(of: "namespaces"), place + 2 < parts.count {
      metadata["namespace"] = parts[place + 1]
    }
    let text = json(fields.merging(["metadata": metadata]) { _, new in new })
    state.withLock { $0.objects[path] = text }
  }

  func remove(_ path: String) {
    state.withLock { $0.objects[path] = nil }
  }

  func has(_ path: String) -> Bool { state.withLock { $0.objects[path] != nil } }

  /// What a program says to a command that begins with these words.
  func answer(_ pod: String, _ words: String, code: Int = 0, _ text: String) {
    state.withLock { $0.answers["\(pod) \(words)"] = (code, text) }
  }

  func onWrite(_ follow: @escaping @Sendable (ScriptedMesh, String) -> Void) {
    state.withLock { $0.follow = follow }
  }

  // MARK: Programs

  /// What the built `skein` does beside this cluster.
  func skein(_ words: String..., expecting status: Int32? = 0) async throws -> Output {
    var output: Output?
    try await ScriptedServer.run(ScriptedServer.Options(), { self.pieces(for: $0) }) { server in
      try await withDirectory { directory in
        let kubeconfig = directory + "/config"
        try server.kubeconfig.write(toFile: kubeconfig, atomically: false, encoding: .utf8)
        output = try await NodeHarness.run(
          [Self.program] + words + ["--kubeconfig", kubeconfig], expecting: status)
      }
    }
    return try #require(output)
  }

  private func pieces(for request: ScriptedServer.Request) -> [ScriptedServer.Piece] {
    if request.path.hasSuffix("/exec") { return run(request) }
    if request.method != "GET" { return write(request) }
    return state.withLock { state in
      if let found = state.objects[request.path] { return [.ok(found)] }
      let below = state.objects.keys.filter { isIn($0, list: request.path) }.sorted()
      let last = request.path.split(separator: "/").last.map(String.init) ?? ""
      guard !below.isEmpty || Self.plurals.contains(last) else {
        return [.answer(404, statusObject(404, "NotFound"))]
      }
      let selector = request.query["labelSelector"]?.removingPercentEncoding
      let found = below.compactMap { state.objects[$0] }
        .filter { hasLabel($0, selector) }
      return [.ok(list(1, found))]
    }
  }

  private static let plurals = ["pods", "nodes", "namespaces", "configmaps"]

  /// `/api/v1/pods` is a list of the pods of every namespace.
  private func isIn(_ path: String, list: String) -> Bool {
    if path.hasPrefix(list + "/") {
      return !path.dropFirst(list.count + 1).contains("/")
    }
    let parts = list.split(separator: "/")
    guard let plural = parts.last, !list.contains("/namespaces/") else { return false }
    let root = "/" + parts.dropLast().joined(separator: "/")
    let rest = path.split(separator: "/").dropFirst(parts.count - 1)
    return path.hasPrefix(root + "/namespaces/") && rest.dropFirst(2).first == plural
      && rest.count == 4
  }

  private func hasLabel(_ object: String, _ selector: String?) -> Bool {
    guard let selector, let sign = selector.firstIndex(of: "=") else { return true }
    let labels = (fields(object)["metadata"] as? Fields)?["labels"] as? [String: String] ?? [:]
    return labels[String(selector[..<sign])] == String(selector[selector.index(after: sign)...])
  }

  private func run(_ request: ScriptedServer.Request) -> [ScriptedServer.Piece] {
    let pod = request.path.split(separator: "/").dropLast().last.map(String.init) ?? ""
    let command = "\(pod) \(request.command.dropFirst().joined(separator: " "))"
    let answers = state.withLock(\.answers)
    let best = answers.filter { command.hasPrefix($0.key) }.max { $0.key.count < $1.key.count }
    guard let best else {
      return request.commandEnd(code: 1, error: "node-agent: nobody told me about \(command)")
    }
    return request.commandEnd(code: best.value.code, output: best.value.text)
  }

  private func write(_ request: ScriptedServer.Request) -> [ScriptedServer.Piece] {
    let text = "\(request.method) \(request.path)"
    let (answer, follow) = state.withLock { state in
      state.writes.append(request.body.isEmpty ? text : "\(text) \(request.body)")
      let found = state.objects[request.path]
      if request.method == "DELETE" {
        guard state.objects.removeValue(forKey: request.path) != nil else {
          return ([ScriptedServer.Piece.answer(404, statusObject(404, "NotFound"))], state.follow)
        }
        return ([.ok("{}")], state.follow)
      }
      let isApplied = request.headers["content-type"] == "application/apply-patch+yaml"
      guard isApplied || found != nil else {
        return ([.answer(404, statusObject(404, "NotFound"))], state.follow)
      }
      let text = json(merged(fields(found ?? "{}"), fields(request.body)))
      state.objects[request.path] = text
      return ([.ok(text)], state.follow)
    }
    follow(self, text)
    return answer
  }
}

/// RFC 7396.
private func merged(_ old: ScriptedMesh.Fields, _ change: ScriptedMesh.Fields)
  -> ScriptedMesh.Fields
{
  var result = old
  for (key, value) in change {
    if value is NSNull {
      result[key] = nil
    } else if let inner = value as? ScriptedMesh.Fields {
      result[key] = merged(old[key] as? ScriptedMesh.Fields ?? [:], inner)
    } else {
      result[key] = value
    }
  }
  return result
}

private func fields(_ text: String) -> ScriptedMesh.Fields {
  do {
    return try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any] ?? [:]
  } catch {
    return [:]
  }
}

private func json(_ object: ScriptedMesh.Fields) -> String {
  do {
    return String(decoding: try JSONSerialization.data(withJSONObject: object), as: UTF8.self)
  } catch {
    return "\(error)"
  }
}
