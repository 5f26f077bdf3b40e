/// Every bound and interval of the services, by name.
public enum ControlLimit {
  /// The port of Istio's control plane, when an address names none.
  public static let defaultPort: UInt16 = 15_012
  /// How long a client may take to connect: names, TCP, TLS and HTTP/2 together.
  public static let connectTimeout = Duration.seconds(5)
  /// How long a certificate may take, connecting included.
  public static let certificateTimeout = Duration.seconds(10)
  /// A client's ping after this long without a byte; Source: ambient-protocol.md, 3.1.
  public static let clientPing = Duration.seconds(30)
  /// How long a ping may go unanswered before the connection is given up.
  public static let pingTimeout = Duration.seconds(10)
  /// A client that pings more often is sent away.
  public static let shortestClientPing = Duration.seconds(15)
  /// A server's ping after this long without a byte.
  public static let serverPing = Duration.seconds(30)
  /// How long a server keeps a connection on which nothing is asked.
  public static let serverIdle = Duration.seconds(120)
  /// How long the first request of a discovery stream may take, and the only one of another call.
  public static let firstRequestTimeout = Duration.seconds(10)
  /// How long one response may take to be read by a client before its stream is ended.
  public static let responseTimeout = Duration.seconds(60)
  /// How long a server that shuts down waits for calls to end.
  public static let shutdownGrace = Duration.seconds(5)
  /// How long a server waits for TLS to be done.
  public static let handshakeTimeout = Duration.seconds(10)

  /// Bytes of one discovery response that a client takes.
  public static let responseBytes = 200 << 20
  /// Bytes of one certificate answer that a client takes.
  public static let certificateBytes = 1 << 20
  /// Bytes of one request that a server takes, as Istio's does.
  ///
  /// A node that reconnects claims about 1 MiB for 10 000 resources: it claims some, not all.
  public static let requestBytes = 4 << 20
  /// Bytes in flight towards a client of ours.
  public static let clientWindow = 8 << 20
  /// Bytes in flight towards a server of ours, for one connection.
  public static let serverWindow = 1 << 20
  /// Calls side by side on one connection of a server.
  ///
  /// Times `requestBytes` it bounds what a connection may make a server hold before it is known.
  public static let callsPerConnection = 32
  /// Certificates that a client may show, its own included.
  public static let clientCertificates = 8
  /// Connections of one server; more are closed as they come.
  public static let connections = 10_000

  static let tokenBytes = 64 << 10
  static let pemBytes = 1 << 20
  static let statusMessageBytes = 1_024
}
