import KubernetesClient
import KubernetesHarness
import Linux
import MeshModel
import Synchronization
import Testing
import TestSupport

/// How often a script was asked for something.
private final class Count: Sendable {
  private let number = Mutex(0)
  func next() -> Int {
    number.withLock { number in
      number += 1
      return number
    }
  }
  var value: Int { number.withLock { $0 } }
}

@Suite(.fewAtOnce) struct `A watch over TLS` {
  @Test func `lists in pages, watches from there, and asks for bookmarks`() async throws {
    let feed = Feed()
    try await ScriptedServer.run { request in
      switch (request.path, request.isWatch, request.query["continue"]) {
      case ("/api/v1", _, _): [.ok(coreResources)]
      case ("/api/v1/pods", false, nil): [.ok(list(5, [object("web", 1)], next: "m%/r"))]
      case ("/api/v1/pods", false, "m%25%2Fr"): [.ok(list(5, [object("db", 2)]))]
      case ("/api/v1/pods", true, _): [.stream, .feed(feed)]
      case (_, _, _): [.answer(404, "{}")]
      }
    } _: { server in
      try await server.follow { followed in
        try await waitFor { await followed.names == ["shop/db", "shop/web"] }
        try await waitFor { feed.isAttached }
        feed.send(line("ADDED", object("new", 6)))
        feed.send(line("DELETED", object("db", 7)))
        try await waitFor { await followed.names == ["shop/new", "shop/web"] }
        let state = await followed.state
        #expect(state?.isSynced == true && state?.objects == 2 && state?.problem == nil)
      }
      let watch = try #require(server.requests.first { $0.isWatch })
      #expect(watch.query["resourceVersion"] == "5")
      #expect(watch.query["allowWatchBookmarks"] == "true")
      #expect(Int(watch.query["timeoutSeconds"] ?? "") ?? 0 >= 240)
      #expect(watch.bearer == "token-1")
    }
  }

  /// A server whose first watch goes wrong in some way, and whose second one is good.
  private func afterFirstWatch(
    _ first: [ScriptedServer.Piece], timing: KubernetesClient.Timing = KubernetesClient.Timing(),
    _ check: (ScriptedServer, Followed, Feed) async throws -> Void
  ) async throws {
    let (watches, feed) = (Count(), Feed())
    try await ScriptedServer.run { request in
      if request.path == "/api/v1" { return [.ok(coreResources)] }
      if !request.isWatch {
        return [.ok(list(request.number < 4 ? 5 : 50, [object("web", 1)]))]
      }
      return watches.next() == 1 ? first : [.stream, .feed(feed)]
    } _: { server in
      try await server.follow(timing: timing) { followed in
        try await waitFor { feed.isAttached }
        feed.send(line("ADDED", object("late", 99)))
        try await waitFor { await followed.names.contains("shop/late") }
        try await check(server, followed, feed)
      }
    }
  }

  private func lastWatch(_ server: ScriptedServer) -> String? {
    server.requests.last { $0.isWatch }?.query["resourceVersion"]
  }

  @Test func `goes on from the last line after a half one`() async throws {
    let whole = line("MODIFIED", object("web", 8))
    try await afterFirstWatch(
      [
        .stream, .line(whole), .bytes(Array(line("ADDED", object("x", 9)).utf8.dropLast(9))),
        .close,
      ]
    ) { server, followed, _ in
      #expect(lastWatch(server) == "8")
      #expect(await followed.changes == ["+web@1", "+web@8", "+late@99"])
    }
  }

  @Test func `goes on after half a line and an orderly end`() async throws {
    try await afterFirstWatch([.stream, .bytes(Array("{\"type\":".utf8)), .end]) {
      server, followed, _ in
      #expect(lastWatch(server) == "5")
      #expect(await followed.changes == ["+web@1", "+late@99"])
    }
  }

  @Test func `lists anew when its version is too old, told by status or by event`() async throws {
    for first: [ScriptedServer.Piece] in [
      [.answer(410, statusObject(410, "Gone"))],
      [.stream, .line(line("ERROR", statusObject(410, "Expired"))), .end],
    ] {
      try await afterFirstWatch(first) { server, followed, _ in
        #expect(lastWatch(server) == "50")
        #expect(await followed.changes == ["+web@1", "+late@99"])
      }
    }
  }

  @Test func `cuts a line without an end, and lists anew`() async throws {
    let endless = [UInt8](repeating: UInt8(ascii: "x"), count: 1 << 20)
    let pieces = [ScriptedServer.Piece](repeating: .bytes(endless), count: 10)
    try await afterFirstWatch([.stream] + pieces) { server, _, _ in
      #expect(lastWatch(server) == "50")
    }
  }

  @Test func `takes a server that says nothing for dead`() async throws {
    var timing = KubernetesClient.Timing()
    timing.silence = .milliseconds(300)
    let watches = Count()
    try await ScriptedServer.run { request in
      if request.path == "/api/v1" { return [.ok(coreResources)] }
      if !request.isWatch { return [.ok(list(5, [object("web", 1)]))] }
      _ = watches.next()
      return [.stream]
    } _: { server in
      try await server.follow(timing: timing) { followed in
        try await waitFor { watches.value >= 3 }
        #expect(await followed.problems == ["\(KubernetesError.timedOut)"])
        #expect(await followed.names == ["shop/web"])
      }
    }
  }

  @Test func `goes on when the connection breaks`() async throws {
    let feed = Feed()
    try await ScriptedServer.run { request in
      if request.path == "/api/v1" { return [.ok(coreResources)] }
      if !request.isWatch { return [.ok(list(5, [object("web", 1)]))] }
      return [.stream, .feed(feed)]
    } _: { server in
      try await server.follow { followed in
        for round in 1...3 {
          try await waitFor { feed.isAttached }
          feed.send(line("MODIFIED", object("web", 10 + round)))
          try await waitFor { await followed.objects["shop/web"] == "\(10 + round)" }
          feed.cut()
        }
        try await waitFor { server.requests.count { $0.isWatch } == 4 }
        #expect(lastWatch(server) == "13")
        #expect(server.requests.count { $0.path == "/api/v1/pods" && !$0.isWatch } == 1)
      }
    }
  }

  @Test func `is told of a resource that comes later`() async throws {
    let (feed, looks) = (Feed(), Count())
    try await ScriptedServer.run { request in
      switch request.path {
      case "/readyz": return [.answer(200, "ok")]
      case "/apis/security.istio.io/v1": return [.answer(404, statusObject(404, "NotFound"))]
      case "/apis/security.istio.io/v1beta1":
        // Twice in one look: before and after the server said that it is ready.
        return looks.next() <= 2
          ? [.ok("{\"resources\":[{\"name\":\"peerauthentications\"}]}")]
          : [.ok("{\"resources\":[{\"name\":\"authorizationpolicies\"}]}")]
      case _ where request.isWatch: return [.stream, .feed(feed)]
      case _: return [.ok(list(5, [object("deny", 1)]))]
      }
    } _: { server in
      try await server.follow(ScriptedServer.policies) { followed in
        try await waitFor { await followed.state?.isAbsent == true }
        #expect(await followed.state?.isSynced == true)
        try await waitFor { await followed.names == ["shop/deny"] }
        #expect(await followed.state?.isAbsent == false)
      }
      #expect(
        server.requests.contains {
          $0.path == "/apis/security.istio.io/v1beta1/authorizationpolicies"
        })
    }
  }

  @Test func `does not believe a server that is not ready that a resource is absent`() async throws
  {
    let looks = Count()
    try await ScriptedServer.run { request in
      if request.path == "/readyz" {
        _ = looks.next()
        return [.answer(500, "informer not synced")]
      }
      return [.answer(404, statusObject(404, "NotFound"))]
    } _: { server in
      try await server.follow(ScriptedServer.policies) { followed in
        try await waitFor { looks.value >= 2 }
        #expect(await followed.state?.isSynced == false)
        #expect(await followed.state?.problem?.contains("500") == true)
      }
    }
  }
}
