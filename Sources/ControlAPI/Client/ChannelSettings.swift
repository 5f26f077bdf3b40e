/// How a client reaches a control plane, and what it shows there.
///
/// Files are read again for every connection, so that what rotates on disk is taken up.
public struct ChannelSettings: Hashable, Sendable {
  /// Certificates in PEM: their text, or the file they are in.
  public enum PEM: Hashable, Sendable {
    case file(String)
    case text(String)
  }

  /// A certificate and its key, for a control plane that asks for one.
  public struct ClientCertificate: Hashable, Sendable {
    /// The leaf first.
    public var chain: PEM
    public var key: PEM

    public init(chain: PEM, key: PEM) {
      self.chain = chain
      self.key = key
    }
  }

  public var address: ControlAddress
  /// Who may have signed the server's certificate.
  public var roots: PEM
  /// The name the server's certificate is for, when it is not the address's host.
  public var serverName: String?
  public var clientCertificate: ClientCertificate?
  /// Sent as `authorization: Bearer`; read again for every call.
  public var tokenFile: String?
  /// Sent as `clusterid` when it is not empty.
  public var clusterID: String
  /// More metadata, by lower-case name.
  public var headers: [Header]
  public var connectTimeout: Duration
  /// Raised to `ControlLimit.shortestClientPing` when it is less.
  public var ping: Duration

  public struct Header: Hashable, Sendable {
    public var name: String
    public var value: String

    public init(_ name: String, _ value: String) {
      self.name = name
      self.value = value
    }
  }

  public init(
    address: ControlAddress, roots: PEM, serverName: String? = nil,
    clientCertificate: ClientCertificate? = nil, tokenFile: String? = nil, clusterID: String = "",
    headers: [Header] = [], connectTimeout: Duration = ControlLimit.connectTimeout,
    ping: Duration = ControlLimit.clientPing
  ) {
    self.address = address
    self.roots = roots
    self.serverName = serverName
    self.clientCertificate = clientCertificate
    self.tokenFile = tokenFile
    self.clusterID = clusterID
    self.headers = headers
    self.connectTimeout = connectTimeout
    self.ping = ping
  }
}
