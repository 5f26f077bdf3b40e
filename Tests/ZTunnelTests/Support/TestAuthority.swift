import AgentProtocol
import Linux
import MeshModel

/// A certificate authority made of the openssl program.
final class TestAuthority: Sendable {
  let directory: String
  let root: [UInt8]

  init() throws {
    directory = "/tmp/skein-ztunnel-\(CurrentProcess.id)-\(Random.uint64())"
    try Directory.makeAll(directory)
    try Self.openSSL(
      "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /O=test "
        + "-keyout \(directory)/ca.key -out \(directory)/ca.crt")
    try Self.openSSL("x509 -in \(directory)/ca.crt -outform DER -out \(directory)/ca.der")
    root = try File.read("\(directory)/ca.der")
  }

  deinit {
    do {
      for name in try Directory.entries(directory) { try File.remove("\(directory)/\(name)") }
      try Directory.remove(directory)
    } catch {
      CurrentProcess.writeError("\(directory) stays behind: \(error)")
    }
  }

  /// Signs for `identity`, whatever the request asks for.
  func sign(_ request: SigningRequest, as identity: SPIFFEID? = nil) throws -> IssuedCertificate {
    let name = "\(directory)/\(Random.uint64())"
    try File.replace("\(name).csr", with: request.request)
    try File.replace(
      "\(name).ext",
      with: Array(
        """
        subjectAltName=critical,URI:\(identity ?? request.identity)
        keyUsage=critical,digitalSignature
        extendedKeyUsage=serverAuth,clientAuth
        basicConstraints=critical,CA:FALSE

        """.utf8))
    try Self.openSSL(
      "x509 -req -inform DER -in \(name).csr -CA \(directory)/ca.crt -CAkey \(directory)/ca.key "
        + "-set_serial 0x\(Random.uint64() >> 1) -days 1 -extfile \(name).ext -outform DER "
        + "-out \(name).der")
    return IssuedCertificate(
      identity: request.identity, chain: [try File.read("\(name).der")], roots: [root])
  }

  private static func openSSL(_ words: String) throws {
    // What it says is short and only of use when it fails.
    let output = try Pipe()
    let process = try ChildProcess(
      path: "/usr/bin/openssl", arguments: words.split(separator: " ").map(String.init),
      environment: ["PATH=/usr/bin"], standardOutput: output.writeEnd.number,
      standardError: output.writeEnd.number
    ).spawn()
    let outcome = try process.wait()
    guard outcome == .exited(code: 0) else {
      throw CommandFailure(command: "openssl \(words)", outcome: outcome)
    }
  }
}
