import FoundationEssentials
import HTTPTypes
import Hummingbird
import Logging
import MeshModel
import NIOCore
import Telemetry

/// The node agent's own HTTP surface, over a Unix socket that only its owner may open.
///
///     GET /v1/status[?section=pods]
///     GET /v1/explain?from=NAMESPACE/POD&to=ADDRESS:PORT
///
/// Answers are `{"answer": ...}`; an error is `{"error": "..."}` with status 400.
enum AdminServer {
  static func path(stateDirectory: String) -> String { "\(stateDirectory)/admin.sock" }

  /// Takes the place of a socket that a dead node agent left at `path`.
  static func application(path: String, node: Node, logger: Logger) -> some ApplicationProtocol {
    let router = Router()
    router.get("/v1/status") { request, _ in
      let word = request.uri.queryParameters["section"].map(String.init)
      let section = word.flatMap(StatusSection.init(rawValue:))
      if let word, section == nil { return try failure("no section \"\(word)\"") }
      return try json(await node.status(section: section))
    }
    router.get("/v1/explain") { request, _ in
      let query = request.uri.queryParameters
      guard let from = query["from"], let to = query["to"],
        let address = MeshModel.SocketAddress(String(to))
      else { return try failure("expected from=NAMESPACE/POD and to=ADDRESS:PORT") }
      let index = await node.model.index
      let explanation = Result { () throws(ExplanationError) in
        try index.explanation(from: String(from), to: address)
      }
      switch explanation {
      case .success(let explanation): return try json(explanation)
      case .failure(let error): return try failure(error.description)
      }
    }
    return Application(
      router: router,
      configuration: ApplicationConfiguration(address: .unixDomainSocket(path: path)),
      onServerRunning: { _ in AdminServer.restrict(path, logger) }, logger: quiet(logger))
  }

  /// The directory above is 0700 already; the socket itself says so too.
  private static func restrict(_ path: String, _ logger: Logger) {
    do {
      try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: path)
    } catch {
      logger.warning("the admin socket keeps its mode", metadata: ["error": "\(error)"])
    }
  }

  private static func json(_ value: some Codable) throws -> Response {
    try response(.ok, jsonBytes(of: AdminAnswer(answer: value)))
  }

  private static func failure(_ reason: String) throws -> Response {
    try response(.badRequest, jsonBytes(of: AdminAnswer<String>(error: reason)))
  }

  private static func response(_ status: HTTPResponse.Status, _ bytes: [UInt8]) -> Response {
    Response(
      status: status, headers: [.contentType: "application/json"],
      body: ResponseBody(byteBuffer: ByteBuffer(bytes: bytes)))
  }
}

/// An answer, or why there is none.
struct AdminAnswer<Answer: Codable>: Codable {
  var answer: Answer?
  var error: String?
}

/// Prometheus text at `/metrics`, and `/healthz` for probes.
enum MetricsServer {
  static func application(
    address: MeshModel.SocketAddress, node: Node, logger: Logger
  ) -> some ApplicationProtocol {
    let router = Router()
    router.get("/metrics") { _, _ in
      Response(
        status: .ok, headers: [.contentType: PrometheusText.contentType],
        body: ResponseBody(byteBuffer: ByteBuffer(string: await node.metricsText())))
    }
    router.get("/healthz") { _, _ in
      let problems = await node.status(section: .node).node.problems
      return Response(
        status: problems.isEmpty ? .ok : .serviceUnavailable,
        headers: [.contentType: "text/plain; charset=utf-8"],
        body: ResponseBody(
          byteBuffer: ByteBuffer(
            string: (problems.isEmpty ? ["ok"] : problems).joined(separator: "\n") + "\n")))
    }
    return Application(
      router: router,
      configuration: ApplicationConfiguration(
        address: .hostname(address.ip.description, port: Int(address.port))),
      logger: quiet(logger))
  }
}

/// The library's own news are for debugging.
private func quiet(_ logger: Logger) -> Logger {
  var logger = logger
  logger.logLevel = .warning
  return logger
}
