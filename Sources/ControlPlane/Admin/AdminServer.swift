import Commands
import HTTPTypes
import Hummingbird
import Logging
import MeshModel
import NIOCore
import Telemetry

/// The control plane's own HTTP surface.
///
///     GET /v1/status   JSON, only where `status` is served
///     GET /metrics     Prometheus
///     GET /healthz     200, or 503 with what is wrong
enum AdminServer {
  static func application(
    address: MeshModel.SocketAddress, core: Core, hasStatus: Bool, logger: Logger
  ) -> some ApplicationProtocol {
    let router = Router()
    if hasStatus {
      router.get("/v1/status") { _, _ in
        response(.ok, "application/json", try jsonText(of: await core.status()))
      }
    }
    router.get("/metrics") { _, _ in
      response(.ok, PrometheusText.contentType, await core.metrics().text)
    }
    router.get("/healthz") { _, _ in
      let problems = await core.status().problems
      let lines = problems.isEmpty ? ["ok"] : problems
      return response(
        problems.isEmpty ? .ok : .serviceUnavailable, "text/plain; charset=utf-8",
        lines.joined(separator: "\n") + "\n")
    }
    // The library's own news are for debugging.
    var quiet = logger
    quiet.logLevel = .warning
    return Application(
      router: router,
      configuration: ApplicationConfiguration(
        address: .hostname(address.ip.description, port: Int(address.port))),
      logger: quiet)
  }

  private static func response(
    _ status: HTTPResponse.Status, _ type: String, _ text: String
  ) -> Response {
    Response(
      status: status, headers: [.contentType: type],
      body: ResponseBody(byteBuffer: ByteBuffer(string: text)))
  }
}
