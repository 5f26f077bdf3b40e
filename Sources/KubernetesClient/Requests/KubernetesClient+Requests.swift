import AsyncHTTPClient
import Linux
import MeshCompiler
import MeshModel
import NIOCore
import NIOHTTP1

/// One request, and what to do with its answer.
struct APIRequest: Sendable {
  var method: HTTPMethod = .GET
  var path: String
  var query: [(String, String)] = []
  var body: [UInt8]?
  var contentType = "application/json"
  var answerBytes = Limit.answerBytes

  var target: String {
    let text = query.map { "\($0)=\(encoded($1))" }.joined(separator: "&")
    return text.isEmpty ? path : "\(path)?\(text)"
  }
}

extension KubernetesClient {
  /// The answer to a request that the server did.
  func send(_ request: APIRequest) async throws(KubernetesError) -> [UInt8] {
    try await within(timing.request) { () async throws(KubernetesError) -> [UInt8] in
      let response = try await begin(request)
      return try await collect(response.body, atMost: request.answerBytes)
    }
  }

  /// The beginning of an answer that is good; its body is still to come.
  ///
  /// A token that was refused is read anew, and another one is tried at once.
  func begin(_ request: APIRequest) async throws(KubernetesError) -> HTTPClientResponse {
    let first = try await connected(request)
    guard first.status == .unauthorized, token?.renew(at: MonotonicClock.now()) == true else {
      return try await good(first)
    }
    return try await good(try await attempt(request))
  }

  /// An answer, also of a server whose roots are not known yet.
  ///
  /// What only reads is tried again at once when the file has other roots by now.
  private func connected(_ request: APIRequest) async throws(KubernetesError) -> HTTPClientResponse
  {
    do throws(KubernetesError) {
      return try await attempt(request)
    } catch {
      guard case .unreachable = error, roots?.renew(at: MonotonicClock.now()) == true,
        request.method == .GET
      else { throw error }
      return try await attempt(request)
    }
  }

  private func attempt(_ request: APIRequest) async throws(KubernetesError) -> HTTPClientResponse {
    var message = HTTPClientRequest(url: configuration.server + request.target)
    message.method = request.method
    message.tlsConfiguration = roots?.current(at: MonotonicClock.now())
    message.headers.add(name: "accept", value: "application/json")
    message.headers.add(name: "user-agent", value: "skein")
    if let token {
      message.headers.add(
        name: "authorization", value: "Bearer \(token.current(at: MonotonicClock.now()))")
    }
    if let body = request.body {
      message.headers.add(name: "content-type", value: request.contentType)
      message.body = .bytes(body)
    }
    do {
      return try await http.execute(
        message, timeout: timing.request.asAmount, logger: Self.quiet)
    } catch {
      throw KubernetesError(error)
    }
  }

  private func good(
    _ response: HTTPClientResponse
  ) async throws(KubernetesError) -> HTTPClientResponse {
    if (200..<300).contains(response.status.code) { return response }
    let body: [UInt8]
    do throws(KubernetesError) {
      body = try await collect(response.body, atMost: Limit.answerBytes)
    } catch {
      // The status alone says enough.
      body = []
    }
    throw .status(
      APIStatus(
        code: Int(response.status.code), body: body,
        retryAfter: response.headers.first(name: "retry-after")))
  }

  private func collect(
    _ body: HTTPClientResponse.Body, atMost limit: Int
  ) async throws(KubernetesError) -> [UInt8] {
    var bytes: [UInt8] = []
    do {
      for try await buffer in body {
        guard bytes.count + buffer.readableBytes <= limit else {
          throw KubernetesError.tooLarge(limit: limit)
        }
        bytes += buffer.readableBytesView
      }
    } catch {
      throw KubernetesError(error)
    }
    return bytes
  }
}

extension KubernetesError {
  /// What the library reports, in our words.
  init(_ error: any Error) {
    switch error {
    case let error as KubernetesError: self = error
    case is CancellationError: self = .cancelled
    case let error as HTTPClientError:
      switch error {
      case .cancelled: self = .cancelled
      case .connectTimeout, .deadlineExceeded, .readTimeout, .writeTimeout: self = .timedOut
      default: self = .unreachable(reason: error.shortDescription)
      }
    default: self = .unreachable(reason: "\(error)")
    }
  }
}

/// Gives `body` so much time and no more.
func within<Value: Sendable>(
  _ duration: Duration, _ body: @escaping @Sendable () async throws(KubernetesError) -> Value
) async throws(KubernetesError) -> Value {
  let result = await withTaskGroup(of: Result<Value, KubernetesError>?.self) { group in
    group.addTask {
      do throws(KubernetesError) {
        return .success(try await body())
      } catch {
        return .failure(error)
      }
    }
    group.addTask {
      do {
        try await Task.sleep(for: duration)
      } catch {
        // Cancelled: the answer is there, or nobody waits for it.
      }
      return nil
    }
    let first = await group.next() ?? nil
    group.cancelAll()
    return first
  }
  if Task.isCancelled { throw .cancelled }
  guard let result else { throw .timedOut }
  return try result.get()
}
