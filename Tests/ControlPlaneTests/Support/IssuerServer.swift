import CertificateAuthority
import Foundation
import Linux

@testable import ControlPlane

/// An issuer over real HTTPS, in Python: see Programs/issuer.py.
final class IssuerServer {
  let directory: String
  private let process = Process()
  /// It ends when this is closed.
  private let input = Foundation.Pipe()
  private let port: Int

  /// Publishes `keys`, with a certificate of the authority in `directory`.
  init(_ directory: String, keys: String) throws {
    self.directory = directory
    let authority = try CertificateAuthority(
      directory: directory + "/ca", trustDomain: "issuer", now: WallClock.now())
    let own = try authority.servingCertificate(
      for: ["localhost"], lifetime: .seconds(600), now: WallClock.now())
    try put(directory + "/server.crt", own.chain)
    try put(directory + "/server.key", own.key)
    try put(directory + "/keys.json", keys)
    process.executableURL = URL(filePath: "/usr/bin/env")
    let root = #filePath.split(separator: "/").dropLast(2).reduce("") { "\($0)/\($1)" }
    process.arguments = [
      "python3", root + "/Programs/issuer.py", directory, directory + "/server.crt",
      directory + "/server.key",
    ]
    let output = Foundation.Pipe()
    process.standardOutput = output
    process.standardInput = input
    try process.run()
    let line = String(decoding: output.fileHandleForReading.availableData, as: UTF8.self)
    guard let port = Int(line.filter(\.isNumber)) else { throw NotUp() }
    self.port = port
  }

  deinit {
    do {
      try input.fileHandleForWriting.close()
    } catch {
      print(error)
    }
    process.waitUntilExit()
  }

  struct NotUp: Error {}

  static func run(
    _ keys: String, _ body: (IssuerServer) async throws -> Void
  ) async throws {
    let directory = NSTemporaryDirectory() + "/issuer-\(UUID().uuidString)"
    try FileManager.default.createDirectory(
      atPath: directory, withIntermediateDirectories: true)
    defer {
      do { try FileManager.default.removeItem(atPath: directory) } catch { print(error) }
    }
    try await body(try IssuerServer(directory, keys: keys))
  }

  func url(_ behaviour: String = "good") -> String { "https://localhost:\(port)/\(behaviour)" }

  func fetch(_ behaviour: String = "good") -> KeyFetch {
    KeyFetch(issuer: url(behaviour), rootsFile: directory + "/ca/ca.crt")
  }

  func publish(_ keys: String) throws { try put(directory + "/keys.json", keys) }

  /// From now on nobody is answered, or everybody again.
  func answers(_ isAnswering: Bool) throws {
    if isAnswering {
      try FileManager.default.removeItem(atPath: directory + "/silent")
    } else {
      try put(directory + "/silent", "")
    }
  }

  /// How often a path was asked for.
  func asked(_ path: String) -> Int {
    do {
      let text = String(decoding: try File.read(directory + "/asked"), as: UTF8.self)
      return text.split(separator: "\n").count { $0 == path }
    } catch {
      return 0
    }
  }
}
