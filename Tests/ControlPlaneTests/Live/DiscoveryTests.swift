import ControlAPI
import IstioAPI
import Telemetry
import Testing
import TestSupport

@testable import ControlPlane

private let web = Plane.Pod("web", node: "a", account: "web")
private let db = Plane.Pod("db", node: "b", account: "db")

@Suite(.fewAtOnce) struct `A node's stream of discovery` {
  @Test func `begins with everything and goes on with what changes`() async throws {
    try await Plane.run { plane in
      try await DiscoveryStream.open(plane.settings()) { stream throws(ControlError) in
        try await stream.send(Ask.everything())
        let first = try await stream.take()
        #expect(first.names == [db.uid, web.uid, "shop/web.shop.svc.cluster.local"])
        try await stream.send(Ask.everything(Ask.policy))
        #expect(try await stream.take().names == ["shop/only-web"])

        var newer = web
        newer.version = "2"
        await change(plane, [newer, db])
        let changed = try await stream.take()
        #expect(changed.names == [web.uid])
        #expect(changed.versions[web.uid] != first.versions[web.uid])
        #expect(changed.removedResources.isEmpty)

        await change(plane, [newer])
        let removed = try await stream.take()
        #expect(removed.removedResources == [db.uid])
        #expect(removed.resources.isEmpty)
      }
    }
  }

  @Test func `sends on demand what is asked for by name, and says what there is not`() async throws
  {
    try await Plane.run { plane in
      try await DiscoveryStream.open(plane.settings()) { stream throws(ControlError) in
        try await stream.send(Ask.nothingYet())
        // The pods of its own node come unasked.
        #expect(try await stream.take().names == [web.uid])
        try await stream.send(Ask.names(["/10.0.0.2", "/10.9.9.9"]))
        let answer = try await stream.take()
        #expect(answer.names == [db.uid])
        #expect(answer.removedResources == ["/10.9.9.9"])
      }
    }
  }

  @Test func `is sent on reconnect only what differs from what it has`() async throws {
    try await Plane.run { plane in
      let versions = try await DiscoveryStream.open(plane.settings()) {
        stream throws(ControlError) in
        try await stream.send(Ask.everything())
        return try await stream.take().versions
      }
      var newer = web
      newer.version = "2"
      try await plane.change([newer, Plane.Pod("new", node: "b", account: "new")])
      try await DiscoveryStream.open(plane.settings()) { stream throws(ControlError) in
        try await stream.send(Ask.everything(versions: versions))
        let difference = try await stream.take()
        #expect(difference.names == ["Kubernetes//Pod/shop/new", web.uid])
        #expect(difference.removedResources == [db.uid])
      }
    }
  }

  @Test func `goes on after a refusal, which is counted and shown with its reason`() async throws {
    try await Plane.run { plane in
      try await DiscoveryStream.open(plane.settings()) { stream throws(ControlError) in
        try await stream.send(Ask.everything())
        guard let first = try await stream.next() else { throw .ended }
        try await stream.send(Ask.acknowledgement(first, refusing: "web: no such enum value"))
        var newer = web
        newer.version = "2"
        await change(plane, [newer, db])
        #expect(try await stream.take().names == [web.uid])
        let shown = plane.core.register.all.first
        #expect(shown?.addresses?.refused == 1)
        #expect(shown?.addresses?.lastRefusal == "web: no such enum value")
        #expect(plane.core.counters.values.refusals == 1)
      }
    }
  }

  @Test func `takes no notice of a nonce that is not the last one`() async throws {
    try await Plane.run { plane in
      try await DiscoveryStream.open(plane.settings()) { stream throws(ControlError) in
        try await stream.send(Ask.everything())
        guard let first = try await stream.next() else { throw .ended }
        var stale = Ask.acknowledgement(first)
        stale.responseNonce = "not-it"
        try await stream.send(stale)
        var newer = web
        newer.version = "2"
        await change(plane, [newer, db])
        #expect(await stream.isQuiet())
        #expect(plane.core.register.all.first?.addresses?.isWaiting == true)
      }
    }
  }

  @Test func `is served the last good generation while manifests are wrong`() async throws {
    try await Plane.run { plane in
      let path = plane.directory + "/manifests/wrong.yaml"
      await write(path, "apiVersion: v1\nkind: Pod\nmetadata: {name: [}\n")
      try await waitFor { await plane.core.keeper.isStale }
      let names = try await DiscoveryStream.open(plane.settings()) { stream throws(ControlError) in
        try await stream.send(Ask.everything())
        return try await stream.take().names
      }
      #expect(names.count == 3)
      #expect(await plane.core.status().problems == ["the manifests have errors"])
    }
  }

  @Test func `opens two hundred times at once, and each is told of a change`() async throws {
    try await Plane.run { plane in
      var newer = web
      newer.version = "2"
      let settings = plane.settings()
      try await withThrowingTaskGroup(of: [String].self) { group in
        for _ in 0..<200 {
          group.addTask {
            try await DiscoveryStream.open(settings) { stream throws(ControlError) in
              try await stream.send(Ask.everything())
              _ = try await stream.take()
              return try await stream.take().names
            }
          }
        }
        try await waitFor {
          plane.core.register.all.count { $0.addresses?.acknowledged == 1 } == 200
        }
        try await plane.change([newer, db])
        for try await names in group { #expect(names == [web.uid]) }
      }
      #expect(plane.core.counters.values.pushes.count == 200)
      try await waitFor { plane.core.register.count == 0 }
    }
  }
}

/// Inside a stream's body, where only its own errors may be thrown.
private func change(_ plane: Plane, _ pods: [Plane.Pod]) async {
  do {
    try await plane.change(pods)
  } catch {
    Issue.record("the change was not served: \(error)")
  }
}
