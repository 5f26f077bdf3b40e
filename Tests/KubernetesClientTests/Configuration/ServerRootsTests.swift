import KubernetesHarness
import Linux
import MeshModel
import Testing
import TestSupport

@testable import KubernetesClient

private func put(_ path: String, _ bytes: [UInt8]) throws {
  try File.replace(path, with: bytes)
}

@Suite(.fewAtOnce) struct `The roots of the API server` {
  @Test func `are read again while the client runs, and when a connection fails`() async throws {
    try await withDirectory { directory in
      let file = directory + "/ca.crt"
      // Each answer ends its connection, so that each request begins one.
      try await ScriptedServer.run { _ in
        [.ok("{}"), .close]
      } _: { server in
        var configuration = server.configuration
        configuration.authorityFile = file
        try put(file, configuration.authority)
        let client = try KubernetesClient(configuration)
        func isAnswered() async -> Bool {
          do throws(KubernetesError) {
            _ = try await client.object(.configMaps, namespace: "shop", name: "roots")
            return true
          } catch {
            return false
          }
        }
        #expect(await isAnswered())
        let root = try server.changeAuthority()
        #expect(await !isAnswered())
        try put(file, Array("no certificate".utf8))
        #expect(await !isAnswered())
        try put(file, root)
        #expect(await isAnswered())
        let next = try server.changeAuthority()
        #expect(await !isAnswered())
        try put(file, next)
        #expect(await isAnswered())
        await client.shutDown()
      }
    }
  }

  @Test func `are looked at every half minute; what cannot be used leaves the last`() async throws {
    func instant(_ seconds: UInt64) -> Instant { Instant(nanoseconds: seconds * 1_000_000_000) }
    try await withDirectory { directory in
      try await ScriptedServer.run { _ in
        []
      } _: { server in
        let file = directory + "/ca.crt"
        var configuration = server.configuration
        #expect(ServerRoots(configuration, at: instant(0)) == nil)
        configuration.authorityFile = file
        let roots = try #require(ServerRoots(configuration, at: instant(0)))
        let (first, second) = (try server.changeAuthority(), try server.changeAuthority())
        try put(file, first)
        #expect(roots.current(at: instant(29)) == nil)
        #expect(roots.current(at: instant(30)) != nil && roots.authority == first)
        try put(file, [])
        #expect(roots.current(at: instant(60)) != nil && roots.authority == first)
        try put(file, second)
        #expect(roots.current(at: instant(89)) != nil && roots.authority == first)
        #expect(roots.current(at: instant(90)) != nil && roots.authority == second)
      }
    }
  }
}
