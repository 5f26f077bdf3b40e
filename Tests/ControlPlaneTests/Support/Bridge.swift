import Foundation
import Synchronization
import Testing

/// A client of Google's gRPC, in Python: see Programs/bridge.py.
final class Bridge: Sendable {
  private let process: Process
  private let input: FileHandle
  private let lines: AsyncStream<String>

  static let packages = ProcessInfo.processInfo.environment["PEERS"] ?? ""

  static let isThere = FileManager.default.fileExists(atPath: packages + "/grpc_tools")

  private static let root = #filePath.split(separator: "/").dropLast(4)
    .reduce("") { "\($0)/\($1)" }

  init(_ plane: Plane) throws {
    process = Process()
    process.executableURL = URL(filePath: "/usr/bin/env")
    process.arguments = [
      "python3", "\(Self.root)/Tests/ControlPlaneTests/Programs/bridge.py",
      "\(Self.root)/proto", "localhost:\(plane.port)", plane.directory + "/ca/ca.crt",
    ]
    let (input, output) = (Pipe(), Pipe())
    process.standardInput = input
    process.standardOutput = output
    self.input = input.fileHandleForWriting
    let (lines, more) = AsyncStream.makeStream(of: String.self)
    self.lines = lines
    let rest = Mutex<[UInt8]>([])
    output.fileHandleForReading.readabilityHandler = { handle in
      let bytes = handle.availableData
      if bytes.isEmpty {
        handle.readabilityHandler = nil
        more.finish()
        return
      }
      rest.withLock { rest in
        rest += bytes
        while let end = rest.firstIndex(of: 0x0A) {
          more.yield(String(decoding: rest[..<end], as: UTF8.self))
          rest.removeSubrange(...end)
        }
      }
    }
    try process.run()
  }

  struct Answer: Decodable, Sendable {
    var status: String?
    var message: String?
    var quiet: Bool?
    var response: Content?

    /// Of both services, as much as tests look at.
    struct Content: Decodable, Sendable {
      var typeUrl: String?
      var nonce: String?
      var resources: [Resource]?
      var removedResources: [String]?
      var certChain: [String]?
    }

    struct Resource: Decodable, Sendable {
      var name: String
      var version: String?
      var aliases: [String]?
      var resource: [String: JSON]
    }
  }

  /// One command, in JSON; its answer.
  @discardableResult func ask(_ command: String) async throws -> Answer {
    input.write(Data((command.split(separator: "\n").joined() + "\n").utf8))
    var iterator = lines.makeAsyncIterator()
    let line = try #require(await iterator.next(), "bridge.py is gone")
    return try JSONDecoder().decode(Answer.self, from: Data(line.utf8))
  }

  func next() async throws -> Answer { try await ask(#"{"do":"next"}"#) }

  func acknowledge(_ content: Answer.Content, refusing reason: String? = nil) async throws {
    let detail = reason.map { #","errorDetail":{"code":3,"message":"\#($0)"}"# } ?? ""
    try await ask(
      """
      {"do":"send","request":{"typeUrl":"\(content.typeUrl ?? "")",
      "responseNonce":"\(content.nonce ?? "")"\(detail)}}
      """)
  }

  func end() {
    do { try input.close() } catch { print(error) }
    process.waitUntilExit()
  }
}

/// A value of JSON, of which only texts are of interest.
enum JSON: Decodable, Sendable, Equatable {
  case text(String)
  case object([String: JSON])
  case other

  init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    do {
      self = .text(try container.decode(String.self))
      return
    } catch {}
    do {
      self = .object(try container.decode([String: JSON].self))
      return
    } catch {}
    self = .other
  }

  subscript(_ name: String) -> JSON? {
    guard case .object(let members) = self else { return nil }
    return members[name]
  }
}

extension Trait where Self == ConditionTrait {
  /// Runs only where scripts/peers.sh has installed the peers and said so in the environment.
  static var needsPeers: Self { .enabled(if: Bridge.isThere, "needs what scripts/peers.sh prints") }
}
