import KubernetesHarness
import MeshModel
import Testing
import TestSupport

@testable import KubernetesClient

private let form = ObjectForm(apiVersion: "v1", kind: "Pod", selection: .all)

/// A reflector with a clock, fed by hand.
private struct Script {
  var reflector = Reflector()
  var now = Instant(nanoseconds: 1)
  var chance = 0.0
  private(set) var changes: [String] = []
  private(set) var action: Reflector.Action

  init() {
    action = reflector.start
  }

  /// A reflector that watches a list of web@1 and db@2, from version 5.
  static func watching() throws -> Script {
    var script = Script()
    script.take(.served(apiVersion: "v1"))
    script.take(try page(5, [object("web", 1), object("db", 2)]))
    script.forget()
    return script
  }

  mutating func take(_ event: Reflector.Event, after: Duration = .zero) {
    now = now + after
    let step = reflector.take(event, at: now, chance: chance)
    changes += step.changes.map { change in
      switch change {
      case .applied(let object): "+\(object.name.name)@\(object.resourceVersion)"
      case .removed(let name): "-\(name.name)"
      case .refused(let object): "!\(object.name.name)"
      }
    }
    action = step.action
  }

  /// A failure, and the wait that follows it.
  mutating func fail(_ error: KubernetesError) -> Duration? {
    take(.failed(error))
    guard case .wait(let duration) = action else { return nil }
    take(.timer, after: duration)
    return duration
  }

  mutating func forget() { changes = [] }
}

private func page(_ version: Int, _ objects: [String], next: String = "") throws -> Reflector.Event
{
  .page(try ListPage(Array(list(version, objects, next: next).utf8), form))
}

private func event(_ type: String, _ object: String) throws -> Reflector.Event {
  .line(try WatchEvent(Array(line(type, object).utf8), form))
}

private func list(_ next: String? = nil, limit: Int = 500) -> Reflector.Action {
  .list(apiVersion: "v1", limit: limit, next: next)
}

private func watch(_ version: Int) -> Reflector.Action {
  .watch(apiVersion: "v1", resourceVersion: "\(version)", lifetime: .seconds(240))
}

private let expired = KubernetesError.status(APIStatus(code: 410, reason: "Expired"))
private let down = KubernetesError.unreachable(reason: "refused")

@Suite(.fewAtOnce) struct `A resource is followed` {
  @Test func `by a list in pages, that counts when it is complete, and a watch from there`() throws
  {
    var script = Script()
    #expect(script.action == .discover)
    script.take(.served(apiVersion: "v1"))
    #expect(script.action == list())
    script.take(try page(5, [object("web", 1)], next: "more"))
    #expect(script.action == list("more") && script.changes.isEmpty && !script.reflector.isSynced)
    // The second page may be of a later moment: the watch begins at the first.
    script.take(try page(9, [object("db", 2)]))
    #expect(script.changes == ["+web@1", "+db@2"] && script.reflector.isSynced)
    #expect(script.action == watch(5))
  }

  @Test func `by the lines of its watch, each of which moves the version on`() throws {
    var script = try Script.watching()
    script.take(try event("ADDED", object("new", 6)))
    script.take(try event("MODIFIED", object("web", 7)))
    script.take(try event("DELETED", object("db", 8)))
    script.take(try event("LATER-KIND", object("db", 9)))
    #expect(script.changes == ["+new@6", "+web@7", "-db"] && script.action == .read)
    script.take(try event("BOOKMARK", object("", 11)))
    script.take(.ended, after: .seconds(240))
    #expect(script.action == watch(11) && script.reflector.objectCount == 2)
  }

  @Test func `again from the same version when its watch breaks, later each time`() throws {
    var script = try Script.watching()
    script.take(try event("MODIFIED", object("web", 7)))
    #expect(script.fail(down) == .milliseconds(250))
    #expect(script.action == watch(7) && script.reflector.problem == "\(down)")
    #expect(script.fail(down) == .milliseconds(500))
    #expect(script.action == watch(7))
    // A version that never works again would never be noticed otherwise.
    #expect(script.fail(down) == .seconds(1))
    #expect(script.action == list())
    script.take(try page(20, [object("web", 7)]))
    #expect(script.changes == ["+web@7", "-db"] && script.reflector.problem == nil)
  }

  @Test func `by a new list at once when its version is too old, whichever way it is told`() throws
  {
    for isEvent in [true, false] {
      var script = try Script.watching()
      script.take(
        isEvent ? try event("ERROR", statusObject(410, "Expired")) : .failed(expired))
      #expect(script.action == list())
      // Only what differs is told.
      script.take(try page(30, [object("web", 1), object("new", 29)]))
      #expect(script.changes == ["+new@29", "-db"] && script.action == watch(30))
    }
  }

  @Test func `without haste through a storm of versions that are too old`() throws {
    var script = try Script.watching()
    #expect(script.fail(expired) == nil)
    var waits: [Duration] = []
    for round in 0..<8 {
      script.take(try page(30 + round, [object("web", 1)]))
      if let wait = script.fail(expired) { waits.append(wait) }
    }
    #expect(waits.first == .milliseconds(500) && waits.last == .seconds(15))
    #expect(waits == waits.sorted() && waits.count == 8)
  }

  @Test func `from the first page when the next one's token is too old`() throws {
    var script = Script()
    script.take(.served(apiVersion: "v1"))
    script.take(try page(5, [object("web", 1)], next: "more"))
    script.take(.failed(expired))
    #expect(script.action == list())
    script.take(try page(6, [object("db", 2)]))
    #expect(script.changes == ["+db@2"] && script.action == watch(6))
  }

  @Test func `by the same page again while the server is away for a moment`() throws {
    var script = Script()
    script.take(.served(apiVersion: "v1"))
    script.take(try page(5, [object("web", 1)], next: "more"))
    #expect(script.fail(down) != nil)
    #expect(script.action == list("more"))
    script.take(try page(5, [object("db", 2)]))
    #expect(script.changes == ["+web@1", "+db@2"])
  }

  @Test func `in smaller pages when one is too large`() throws {
    var script = Script()
    script.take(.served(apiVersion: "v1"))
    script.take(.failed(.tooLarge(limit: 1)))
    #expect(script.action == list(limit: 250))
    for _ in 0..<7 { script.take(.failed(.tooLarge(limit: 1))) }
    #expect(script.action == list(limit: 1))
    script.take(.failed(.tooLarge(limit: 1)))
    #expect(script.reflector.problem != nil)
  }

  @Test func `by a new list when a line is lost`() throws {
    for error in [KubernetesError.tooLarge(limit: 1), .malformed(reason: "x")] {
      var script = try Script.watching()
      #expect(script.fail(error) != nil)
      #expect(script.action == list())
    }
  }

  @Test func `no faster than the server asks`() throws {
    var script = try Script.watching()
    let busy = APIStatus(code: 429, retryAfter: .seconds(7))
    #expect(script.fail(.status(busy)) == .seconds(7))
    let forEver = APIStatus(code: 503, retryAfter: .seconds(3_600))
    #expect(script.fail(.status(forEver)) == .seconds(60))
  }

  @Test func `with chance in every wait, and never longer than the limit`() throws {
    for (chance, first, last) in [(0.0, 250, 15_000), (0.5, 375, 22_500), (1, 500, 30_000)] {
      var backoff = Backoff()
      #expect(backoff.failed(chance: chance, retryAfter: nil) == .milliseconds(first))
      for _ in 0..<20 { _ = backoff.failed(chance: chance, retryAfter: nil) }
      #expect(backoff.failed(chance: chance, retryAfter: nil) == .milliseconds(last))
    }
  }

  @Test func `without spinning when every watch ends at once`() throws {
    var script = try Script.watching()
    script.take(.ended)
    #expect(script.action == .wait(.milliseconds(250)))
    script.take(.timer, after: .milliseconds(250))
    script.take(.ended)
    #expect(script.action == .wait(.milliseconds(500)))
  }

  @Test func `as empty while it is not served, and once it comes`() throws {
    var script = Script()
    script.take(.served(apiVersion: nil))
    #expect(script.action == .wait(.seconds(5)) && script.reflector.isSynced)
    #expect(script.reflector.isAbsent && script.reflector.problem == nil)
    script.take(.timer, after: .seconds(5))
    #expect(script.action == .discover)
    script.take(.served(apiVersion: "v1"))
    script.take(try page(5, [object("web", 1)]))
    #expect(script.changes == ["+web@1"] && !script.reflector.isAbsent)
  }

  @Test func `with what it was when it seems not to be served any more`() throws {
    var script = try Script.watching()
    #expect(script.fail(.status(APIStatus(code: 404))) != nil)
    #expect(script.action == .discover)
    script.take(.served(apiVersion: nil))
    #expect(script.changes.isEmpty && script.reflector.objectCount == 2)
    #expect(script.reflector.problem?.contains("not served") == true)
    script.take(.timer, after: .seconds(5))
    script.take(.served(apiVersion: "v1"))
    script.take(try page(9, [object("web", 1), object("db", 2)]))
    #expect(script.changes.isEmpty && script.reflector.problem == nil)
  }

  @Test func `with what it was while looking for it fails`() throws {
    var script = Script()
    #expect(script.fail(down) == .milliseconds(250))
    #expect(script.action == .discover && !script.reflector.isSynced)
  }

  @Test func `past an object that cannot be read, which is named`() throws {
    var script = Script()
    script.take(.served(apiVersion: "v1"))
    let deep = String(repeating: "[", count: 80) + String(repeating: "]", count: 80)
    let bad = "{\"metadata\":{\"name\":\"bad\",\"resourceVersion\":\"3\"},\"spec\":\(deep)}"
    script.take(try page(5, [object("web", 1), bad, object("db", 2)]))
    #expect(script.changes == ["+web@1", "!bad", "+db@2"])
    script.forget()
    script.take(try event("MODIFIED", bad))
    script.take(try event("DELETED", bad))
    #expect(script.changes == ["!bad", "-bad"])
  }
}
