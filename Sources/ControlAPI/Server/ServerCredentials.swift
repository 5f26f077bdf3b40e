import GRPCNIOTransportHTTP2Posix
import NIOSSL

/// What a server shows, and whom it believes; PEM.
public struct ServerCredentials: Hashable, Sendable {
  /// The leaf first.
  public var chain: [UInt8]
  public var key: [UInt8]
  /// Who may have signed a client's certificate; empty: clients are asked for none.
  ///
  /// A client may always come without one.
  public var clientRoots: [UInt8]

  public init(chain: [UInt8], key: [UInt8], clientRoots: [UInt8] = []) {
    self.chain = chain
    self.key = key
    self.clientRoots = clientRoots
  }

  func context() throws(ControlError) -> NIOSSLContext {
    let chain = try certificates(in: self.chain, "the server's certificate")
    let roots = clientRoots.isEmpty ? [] : try certificates(in: clientRoots, "the clients' roots")
    do {
      let key = try NIOSSLPrivateKey(bytes: self.key, format: .pem)
      var configuration = TLSConfiguration.makeServerConfiguration(
        certificateChain: chain.map { .certificate($0) }, privateKey: .privateKey(key))
      configuration.minimumTLSVersion = .tlsv12
      configuration.applicationProtocols = ["h2"]
      if !roots.isEmpty {
        configuration.trustRoots = .certificates(roots)
        configuration.certificateVerification = .optionalVerification
      }
      return try NIOSSLContext(configuration: configuration)
    } catch {
      throw .badCredentials(reason: "the server's certificate and key cannot be used: \(error)")
    }
  }

  /// Nil: clients are asked for no certificate.
  func verification() throws(ControlError) -> ClientVerification? {
    guard !clientRoots.isEmpty else { return nil }
    let roots = try certificates(in: clientRoots, "the clients' roots")
    do {
      return try ClientVerification(roots: roots.map { try $0.toDERBytes() })
    } catch {
      throw .badCredentials(reason: "the clients' roots cannot be used: \(error)")
    }
  }

  private func certificates(
    in bytes: [UInt8], _ name: String
  ) throws(ControlError) -> [NIOSSLCertificate] {
    do {
      let found = try NIOSSLCertificate.fromPEMBytes(bytes)
      if !found.isEmpty { return found }
    } catch {
      // Said below, as for none at all: the library's reason is only that it is no PEM.
    }
    throw .badCredentials(reason: "\(name): expected PEM certificates")
  }
}
