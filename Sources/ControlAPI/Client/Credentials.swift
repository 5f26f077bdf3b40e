import GRPCCore
import GRPCNIOTransportHTTP2Posix
import Linux
import NIOSSL

extension ChannelSettings.PEM {
  func bytes() throws(ControlError) -> [UInt8] {
    switch self {
    case .text(let text): return Array(text.utf8)
    case .file(let path):
      do throws(LinuxError) {
        return try File.read(path, atMost: ControlLimit.pemBytes)
      } catch {
        throw .unreadable(path: path, reason: "\(error)")
      }
    }
  }

  var name: String {
    switch self {
    case .text: "the inline certificates"
    case .file(let path): path
    }
  }

  /// The certificates' bytes, once there is at least one among them that can be used.
  func certificates() throws(ControlError) -> [UInt8] {
    let bytes = try bytes()
    do {
      guard try !NIOSSLCertificate.fromPEMBytes(bytes).isEmpty else { throw NoCertificate() }
    } catch {
      throw .badCredentials(reason: "\(name): expected PEM certificates")
    }
    return bytes
  }
}

private struct NoCertificate: Error {}

extension ChannelSettings {
  /// A transport with the files as they are now.
  func transport() throws(ControlError) -> HTTP2ClientTransport.Posix {
    let roots = TLSConfig.CertificateSource.bytes(try roots.certificates(), format: .pem)
    var chain: [TLSConfig.CertificateSource] = []
    var key: TLSConfig.PrivateKeySource?
    if let clientCertificate {
      chain = [.bytes(try clientCertificate.chain.certificates(), format: .pem)]
      key = .bytes(try clientCertificate.key.bytes(), format: .pem)
    }
    var configuration = HTTP2ClientTransport.Posix.Config.defaults
    configuration.http2.authority = serverName
    configuration.http2.targetWindowSize = ControlLimit.clientWindow
    configuration.connection.keepalive = .init(
      time: max(ping, ControlLimit.shortestClientPing), timeout: ControlLimit.pingTimeout,
      allowWithoutCalls: false)
    do {
      return try HTTP2ClientTransport.Posix(
        target: target,
        transportSecurity: .tls {
          $0.trustRoots = .certificates([roots])
          $0.certificateChain = chain
          $0.privateKey = key
        },
        config: configuration)
    } catch {
      throw .badCredentials(reason: "TLS cannot be set up: \(error)")
    }
  }

  private var target: any ResolvableTarget {
    if address.host.contains(":") {
      return .ipv6(address: address.host, port: Int(address.port))
    }
    if address.host.allSatisfy({ $0 == "." || $0.isASCII && $0.isNumber }) {
      return .ipv4(address: address.host, port: Int(address.port))
    }
    return .dns(host: address.host, port: Int(address.port))
  }

  /// What goes with a call, with the token as it is now.
  func metadata() throws(ControlError) -> Metadata {
    var metadata = Metadata()
    if let tokenFile {
      metadata.addString("Bearer \(try token(in: tokenFile))", forKey: "authorization")
    }
    if !clusterID.isEmpty { metadata.addString(clusterID, forKey: "clusterid") }
    for header in headers { metadata.addString(header.value, forKey: header.name) }
    return metadata
  }

  private func token(in file: String) throws(ControlError) -> String {
    let bytes: [UInt8]
    do throws(LinuxError) {
      bytes = try File.read(file, atMost: ControlLimit.tokenBytes)
    } catch {
      throw .unreadable(path: file, reason: "\(error)")
    }
    let isSpace: (UInt8) -> Bool = { $0 == 0x20 || $0 == 0x0A || $0 == 0x0D || $0 == 0x09 }
    var token = bytes.drop(while: isSpace)
    while let last = token.last, isSpace(last) { token.removeLast() }
    guard !token.isEmpty, token.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else {
      throw .badCredentials(reason: "\(file): expected one token, printable and without spaces")
    }
    return String(decoding: token, as: UTF8.self)
  }
}
