import ControlAPI
import Foundation
import Linux
import Testing

/// Client certificates and revocation lists, made by openssl with the control plane's own authority.
extension Plane {
  /// With a certificate for `uri`, signed by `signer`: files `<signer>.crt` and `<signer>.key`.
  func settings(certificateFor uri: String, by signer: String? = nil) throws -> ChannelSettings {
    let base = "\(directory)/client-\(UUID().uuidString)"
    try sign(base, by: signer ?? authority, "subjectAltName=critical,URI:\(uri)\n")
    if let signer {
      // The way to the root is the client's to show.
      let chain = try [base, signer].map { try File.readText($0 + ".crt") }.joined()
      try put(base + ".crt", chain)
    }
    var settings = settings(node: nil)
    settings.clientCertificate = .init(chain: .file(base + ".crt"), key: .file(base + ".key"))
    return settings
  }

  var authority: String { directory + "/ca/ca" }

  /// An authority beneath the control plane's.
  func intermediate() throws -> String {
    let base = "\(directory)/middle-\(UUID().uuidString)"
    try sign(
      base, by: authority, "basicConstraints=critical,CA:TRUE\nkeyUsage=keyCertSign,cRLSign\n")
    return base
  }

  private func sign(_ base: String, by signer: String, _ extensions: String) throws {
    try put(base + ".cnf", extensions)
    try openssl(
      "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj",
      "/CN=\(base.suffix(8))", "-keyout", base + ".key", "-out", base + ".csr")
    try openssl(
      "x509", "-req", "-in", base + ".csr", "-CA", signer + ".crt", "-CAkey", signer + ".key",
      "-days", "1", "-extfile", base + ".cnf", "-out", base + ".crt")
  }

  /// Puts a list in place that takes back these certificates, files in PEM, all of the authority.
  func revoke(_ certificates: [String]) throws {
    let base = "\(directory)/list-\(UUID().uuidString)"
    let rows = try certificates.map { path in
      let text = try output("x509", "-in", path, "-noout", "-serial")
      let number = text.split(separator: "=").last?.filter(\.isHexDigit) ?? ""
      return "R\t301231235959Z\t250101000000Z\t\(number)\tunknown\t/CN=x\n"
    }
    try put(base + ".index", rows.joined())
    try put(
      base + ".cnf",
      """
      [ca]
      default_ca = own
      [own]
      database = \(base).index
      certificate = \(authority).crt
      private_key = \(authority).key
      default_md = sha256
      default_crl_days = 30

      """)
    try openssl("ca", "-gencrl", "-config", base + ".cnf", "-out", base + ".pem")
    try put(directory + "/crl.pem", File.readText(base + ".pem"))
  }

  private func openssl(_ arguments: String...) throws { _ = try run(arguments) }

  private func output(_ arguments: String...) throws -> String { try run(arguments) }

  private func run(_ arguments: [String]) throws -> String {
    let process = Process()
    let output = Foundation.Pipe()
    process.executableURL = URL(filePath: "/usr/bin/openssl")
    process.arguments = arguments
    process.standardError = FileHandle.nullDevice
    process.standardOutput = output
    try process.run()
    let bytes = try output.fileHandleForReading.readToEnd() ?? Data()
    process.waitUntilExit()
    try #require(process.terminationStatus == 0)
    return String(decoding: bytes, as: UTF8.self)
  }
}

extension ChannelSettings {
  /// The file of the client's certificate.
  var certificateFile: String {
    guard case .file(let path) = clientCertificate?.chain else { return "" }
    return path
  }
}
