import AsyncHTTPClient
import Linux
import MeshModel
import NIOCore

extension KubernetesClient {
  /// One page of the objects of all namespaces.
  func page(
    _ resource: Resource, _ form: ObjectForm, limit: Int, next: String?, filter: ResourceFilter
  ) async throws(KubernetesError) -> ListPage {
    var request = APIRequest(path: resource.path(form.apiVersion, namespace: filter.namespace))
    request.query = filter.query + [("limit", "\(limit)")]
    if let next { request.query.append(("continue", next)) }
    request.answerBytes = Limit.pageBytes
    return try ListPage(try await send(request), form)
  }

  /// Begins a watch; what comes of it is read with `WatchStream`.
  func watch(
    _ resource: Resource, _ form: ObjectForm, from version: String, lifetime: Duration,
    filter: ResourceFilter
  ) async throws(KubernetesError) -> WatchStream {
    var request = APIRequest(path: resource.path(form.apiVersion, namespace: filter.namespace))
    request.query = filter.query
    request.query += [
      ("watch", "1"), ("allowWatchBookmarks", "true"), ("resourceVersion", version),
      ("timeoutSeconds", "\(max(1, lifetime.components.seconds))"),
    ]
    let sent = request
    let response = try await within(timing.request) {
      () async throws(KubernetesError) -> HTTPClientResponse in
      try await begin(sent)
    }
    let end = MonotonicClock.now() + lifetime + Limit.watchGrace
    return WatchStream(response.body, form, end: end)
  }
}

/// Which objects of a resource are followed.
public struct ResourceFilter: Hashable, Sendable {
  /// Empty for all.
  public var namespace: String
  /// Such as `spec.nodeName=node-a`; empty for all.
  public var fields: String
  /// Such as `app=web`; empty for all.
  public var labels: String

  public init(namespace: String = "", fields: String = "", labels: String = "") {
    self.namespace = namespace
    self.fields = fields
    self.labels = labels
  }

  var query: [(String, String)] {
    [("fieldSelector", fields), ("labelSelector", labels)].filter { !$0.1.isEmpty }
  }
}

/// The lines of a watch, as they come.
struct WatchStream {
  private let form: ObjectForm
  /// When it has to be over, however slowly it comes.
  private let end: Instant
  private var body: HTTPClientResponse.Body.AsyncIterator
  private var splitter = LineSplitter()
  /// Lines that came together, the next one last.
  private var lines: [[UInt8]] = []

  init(_ body: HTTPClientResponse.Body, _ form: ObjectForm, end: Instant) {
    self.form = form
    self.end = end
    self.body = body.makeAsyncIterator()
  }

  /// The next event; nil when the server ended the watch.
  mutating func next() async throws(KubernetesError) -> WatchEvent? {
    while true {
      if let line = lines.popLast() { return try WatchEvent(line, form) }
      let buffer: ByteBuffer?
      do {
        buffer = try await body.next(isolation: #isolation)
      } catch {
        throw KubernetesError(error)
      }
      guard let buffer else {
        // Half a line says nothing, but that what it was about to say is missing.
        guard splitter.waiting == 0 else { throw .unreachable(reason: "closed within a line") }
        return nil
      }
      guard MonotonicClock.now() < end else { throw .timedOut }
      lines = try splitter.lines(in: Array(buffer.readableBytesView)).reversed()
    }
  }
}
