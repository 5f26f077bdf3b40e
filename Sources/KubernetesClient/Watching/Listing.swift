import MeshModel

/// A list on its way: what of it is new, and what it holds so far.
struct Listing: Sendable {
  /// Of the first page: every page is of the same moment.
  private(set) var resourceVersion = ""
  private(set) var pages = 0
  private(set) var seen: [ObjectName: String] = [:]
  private var news: [Reflector.Change] = []

  mutating func take(_ page: ListPage, known: [ObjectName: String]) {
    pages += 1
    if resourceVersion.isEmpty { resourceVersion = page.resourceVersion }
    for object in page.objects {
      seen[object.name] = object.resourceVersion
      let version = object.resourceVersion
      if version.isEmpty || known[object.name] != version { news.append(object.asChange) }
    }
  }

  /// What the complete list changes of what was known.
  func changes(known: [ObjectName: String]) -> [Reflector.Change] {
    let gone = known.keys.filter { seen[$0] == nil }.sorted()
    return news + gone.map { .removed($0) }
  }
}

/// A watch that runs.
struct Watching: Sendable {
  let apiVersion: String
  private(set) var resourceVersion: String
  let since: Instant

  init(apiVersion: String, resourceVersion: String, since: Instant) {
    self.apiVersion = apiVersion
    self.resourceVersion = resourceVersion
    self.since = since
  }

  mutating func advance(to version: String) {
    if !version.isEmpty { resourceVersion = version }
  }

  /// It lived long enough to count as a success.
  func isSteady(at now: Instant) -> Bool { now.since(since) >= Limit.steadyWatch }
}

extension ReceivedObject {
  var asChange: Reflector.Change {
    switch self {
    case .object(let object): .applied(object)
    case .refused(let object): .refused(object)
    }
  }
}
