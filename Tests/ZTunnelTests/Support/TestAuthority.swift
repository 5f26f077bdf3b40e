import AgentProtocol
import Linux
import MeshModel

/// A certificate authority made of the openssl program.
final class TestAuthority: Sendable {
  let directory: String
  let root: [UInt8]

  /// - key: what openssl makes the root's key of.
  init(key: String = "ec -pkeyopt ec_paramgen_curve:P-256") throws {
    directory = "/tmp/skein-ztunnel-\(CurrentProcess.id)-\(Random.uint64())"
    try Directory.makeAll(directory)
    try Self.openSSL(
      "req -x509 -newkey \(key) -nodes -days 2 -subj /O=test "
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

  /// Signs for `identity`, whatever the request asks for, as a leaf or as something else.
  func sign(
    _ request: SigningRequest, as identity: SPIFFEID? = nil,
    usage: String = "extendedKeyUsage=serverAuth,clientAuth", isAuthority: Bool = false,
    days: Int = 1
  ) throws -> IssuedCertificate {
    let name = "\(directory)/\(Random.uint64())"
    try File.replace("\(name).csr", with: request.request)
    try File.replace(
      "\(name).ext",
      with: Array(
        """
        subjectAltName=critical,URI:\(identity ?? request.identity)
        keyUsage=critical,digitalSignature
        \(usage)
        basicConstraints=critical,CA:\(isAuthority ? "TRUE" : "FALSE")

        """.utf8))
    try Self.openSSL(
      "x509 -req -inform DER -in \(name).csr -CA \(directory)/ca.crt -CAkey \(directory)/ca.key "
        + "-set_serial 0x\(Random.uint64() >> 1) -days \(days) -extfile \(name).ext -outform DER "
        + "-out \(name).der")
    return IssuedCertificate(
      identity: request.identity, chain: [try File.read("\(name).der")], roots: [root])
  }

  /// A list that takes back what has these serial numbers, in hexadecimal; DER.
  func revocationList(of serialNumbers: [String]) throws -> [UInt8] {
    let name = "\(directory)/\(Random.uint64())"
    let entries = serialNumbers.map { number in
      let digits = (number.utf8.count % 2 == 0 ? "" : "0") + number.uppercased()
      return "R\t301231235959Z\t251101000000Z\t\(digits)\tunknown\t/CN=x\n"
    }
    try File.replace("\(name).index", with: Array(entries.joined().utf8))
    try File.replace(
      "\(name).conf",
      with: Array(
        """
        [ca]
        default_ca = own
        [own]
        database = \(name).index
        certificate = \(directory)/ca.crt
        private_key = \(directory)/ca.key
        default_md = sha256
        default_crl_days = 1

        """.utf8))
    try Self.openSSL("ca -gencrl -config \(name).conf -out \(name).pem")
    try Self.openSSL("crl -in \(name).pem -outform DER -out \(name).der")
    return try File.read("\(name).der")
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
