import AsyncHTTPClient
import FoundationEssentials
import Linux
import NIOCore
import Telemetry

/// Asks a running node agent, over its admin socket.
struct AdminClient {
  let stateDirectory: String

  func status(section: StatusSection?) async throws -> StatusReport {
    let query = section.map { "?section=\($0.rawValue)" } ?? ""
    return try await get(StatusReport.self, "/v1/status\(query)")
  }

  func explanation(from source: String, to destination: String) async throws -> Explanation {
    let query = "from=\(escaped(source))&to=\(escaped(destination))"
    return try await get(Explanation.self, "/v1/explain?\(query)")
  }

  private func get<Answer: Codable>(_ type: Answer.Type, _ target: String) async throws -> Answer {
    let path = AdminServer.path(stateDirectory: stateDirectory)
    guard File.exists(path) else { throw AdminError.notRunning(stateDirectory: stateDirectory) }
    let url = "http+unix://\(escaped(path))\(target)"
    let response: HTTPClientResponse
    do {
      response = try await HTTPClient.shared.execute(
        HTTPClientRequest(url: url),
        timeout: .nanoseconds(Limit.adminTimeout.milliseconds * 1_000_000))
    } catch {
      throw AdminError.noAnswer(path: path, reason: "\(error)")
    }
    let body = try await response.body.collect(upTo: Limit.statusBytes)
    let answer = try decoded(AdminAnswer<Answer>.self, from: Array(body.readableBytesView))
    if let error = answer.error { throw AdminError.refused(error) }
    guard let content = answer.answer else { throw AdminError.refused("an empty answer") }
    return content
  }

  /// Percent-encodes all but unreserved characters; RFC 3986, section 2.3.
  private func escaped(_ text: String) -> String {
    let hexadecimal = Array("0123456789ABCDEF")
    return text.utf8.map { byte in
      switch byte {
      case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x2D, 0x2E, 0x5F, 0x7E:
        String(UnicodeScalar(byte))
      default: "%\(hexadecimal[Int(byte >> 4)])\(hexadecimal[Int(byte & 15)])"
      }
    }.joined()
  }
}

enum AdminError: Error, Equatable {
  case notRunning(stateDirectory: String)
  case noAnswer(path: String, reason: String)
  case refused(String)
}

extension AdminError: CustomStringConvertible {
  var description: String {
    switch self {
    case .notRunning(let directory):
      "no node agent has its state in \(directory); is it running, with this --state-dir?"
    case .noAnswer(let path, let reason):
      "no answer at \(path) (\(reason)); is the node agent running? Try again, or look at its log"
    case .refused(let reason): reason
    }
  }
}
