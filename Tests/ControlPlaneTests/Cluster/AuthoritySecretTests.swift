import CertificateAuthority
import Foundation
import KubernetesClient
import KubernetesHarness
import Linux
import Logging
import MeshModel
import Synchronization
import Testing
import TestSupport

@testable import ControlPlane

private let name = ObjectName(namespace: "skein-system", name: "skein-ca")
private let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

private func made() throws -> AuthorityTexts {
  try .made(place: "Secret \(name)", trustDomain: "cluster.local", now: WallClock.now())
}

private func fields(_ texts: AuthorityTexts) -> [String: String] {
  var data = ["tls.crt": texts.certificate, "tls.key": texts.key]
  data["ca.crt"] = texts.roots
  return data.mapValues { Data($0.utf8).base64EncodedString() }
}

extension ScriptedCluster {
  fileprivate func put(_ texts: AuthorityTexts) {
    put("secrets", name.namespace, name.name, ["data": fields(texts)])
  }
}

private func secret(_ client: KubernetesClient) -> AuthoritySecret {
  AuthoritySecret(client: client, name: name, trustDomain: "cluster.local")
}

@Suite(.fewAtOnce) struct `The authority in a Secret` {
  @Test func `is made once, and every replica has what the first one made`() async throws {
    let cluster = ScriptedCluster()
    let attempts = Mutex(0)
    try await ScriptedServer.run { request in
      // Nobody sees it before all have tried to make it.
      let tries = attempts.withLock { count in
        if request.method == "POST" { count += 1 }
        return count
      }
      if request.method == "GET", tries < 4 { return [.answer(404, "{}")] }
      return cluster.answer(request)
    } _: { server in
      try await server.client { client in
        let texts = try await withThrowingTaskGroup(of: AuthorityTexts.self) { group in
          for _ in 0..<4 { group.addTask { try await secret(client).read() } }
          return try await group.reduce(into: []) { $0.append($1) }
        }
        #expect(texts.count == 4 && Set(texts).count == 1)
        #expect(cluster.writes == ["POST secrets/skein-system/skein-ca"])
        let post = server.requests.first { $0.method == "POST" }
        #expect(post?.body.contains(#""type":"kubernetes.io/tls""#) == true)
        let authority = try CertificateAuthority(
          texts[0], trustDomain: "cluster.local", now: WallClock.now())
        #expect(authority.roots.count == 1)
      }
    }
  }

  @Test func `is taken as somebody gave it`() async throws {
    let cluster = ScriptedCluster()
    let given = try made()
    cluster.put(given)
    try await cluster.run { server in
      try await server.client { client in
        let found = try await secret(client).read()
        #expect(found == given)
        #expect(cluster.writes.isEmpty)
      }
    }
  }

  struct Row: Sendable, CustomTestStringConvertible {
    var testDescription: String
    var data: [String: String]
    var says: String
  }

  @Test(arguments: [
    Row(testDescription: "empty", data: [:], says: "Secret skein-system/skein-ca: tls.crt: there"),
    Row(testDescription: "without a key", data: ["tls.crt": "YQ=="], says: ": tls.key: there is"),
    Row(testDescription: "not base64", data: ["tls.crt": "?"], says: "tls.crt: it is not base64"),
    Row(
      testDescription: "no certificate", data: ["tls.crt": "YQ==", "tls.key": "YQ=="],
      says: "Secret skein-system/skein-ca, tls."),
  ])
  func `is refused by the name of its field when it is`(row: Row) async throws {
    let cluster = ScriptedCluster()
    cluster.put("secrets", name.namespace, name.name, ["data": row.data])
    try await cluster.run { server in
      try await server.client { client in
        do {
          let texts = try await secret(client).read(logger: quiet)
          _ = try Signer(texts, trustDomain: "cluster.local")
          Issue.record("taken")
        } catch {
          #expect("\(error)".contains(row.says), "\(error)")
        }
      }
    }
  }

  @Test func `is waited for while the API server starts, and not for ever`() async throws {
    let cluster = ScriptedCluster()
    cluster.put(try made())
    try await ScriptedServer.run { request in
      request.number < 4 ? [.answer(503, "{}")] : cluster.answer(request)
    } _: { server in
      try await server.client { client in
        await #expect(throws: KubernetesError.self) {
          try await secret(client).read(patience: .zero, logger: quiet)
        }
        _ = try await secret(client).read(pause: .milliseconds(1), logger: quiet)
        #expect(server.requests.count == 4)
      }
    }
  }

  @Test func `is followed: what is good is taken over, else the last good stays`() async throws {
    let cluster = ScriptedCluster()
    let (first, second) = (try made(), try made())
    cluster.put(first)
    try await cluster.run { server in
      try await server.client { client in
        let signer = try Signer(
          try await secret(client).read(), trustDomain: "cluster.local")
        let run = Task { await secret(client).follow { await signer.offer($0) } }
        // Two roots at first, as when a root is changed.
        var both = first
        both.roots = (first.roots ?? "") + (second.roots ?? "")
        cluster.put(both)
        try await waitFor { await signer.reload() }
        #expect(await signer.rootCount == 2)
        cluster.put(second)
        try await waitFor { await signer.reload() }
        let last = await signer.rootsText
        #expect(await signer.rootCount == 1)
        var mixed = second
        mixed.key = first.key
        cluster.put(mixed)
        try await waitFor {
          let (isNew, problem) = await (signer.reload(), signer.problem)
          return !isNew && problem?.contains("skein-ca, tls.crt") == true
        }
        cluster.remove("secrets", name.namespace, name.name)
        cluster.put(second)
        cluster.remove("secrets", name.namespace, name.name)
        try await waitFor {
          let (isNew, problem) = await (signer.reload(), signer.problem)
          return !isNew && problem?.contains("is gone") == true
        }
        #expect(await signer.rootsText == last)
        cluster.put(second)
        try await waitFor {
          let (isNew, problem) = await (signer.reload(), signer.problem)
          return !isNew && problem == nil
        }
        #expect(await signer.rootsText == last)
        run.cancel()
        await run.value
      }
    }
  }
}
