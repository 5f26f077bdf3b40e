import GRPCCore
import NIOCore
import NIOTLS
import Synchronization

/// Who calls a server, as far as the connection and the call's metadata tell.
public struct Peer: Hashable, Sendable {
  /// For logs: `ipv4:10.0.0.7:41234`.
  public var address: String
  /// Nil when it showed none.
  public var certificate: VerifiedCertificate?
  /// Nothing is known of it yet but that the peer has it.
  public var bearerToken: String?
  public var clusterID: String

  public init(
    address: String, certificate: VerifiedCertificate? = nil, bearerToken: String? = nil,
    clusterID: String = ""
  ) {
    self.address = address
    self.certificate = certificate
    self.bearerToken = bearerToken
    self.clusterID = clusterID
  }
}

/// The connections of a server, and the certificates their clients showed.
///
/// Keyed by both ends of a connection as gRPC writes them: a peer's address alone may belong to
/// several connections, to different addresses of ours.
final class PeerTable: Sendable {
  private struct State {
    var connections = 0
    var certificates: [String: VerifiedCertificate] = [:]
  }

  private let state = Mutex(State())

  var connections: Int { state.withLock(\.connections) }

  /// False when there is no room for another connection.
  func open() -> Bool {
    state.withLock { state in
      guard state.connections < ControlLimit.connections else { return false }
      state.connections += 1
      return true
    }
  }

  func verified(_ certificate: VerifiedCertificate, on connection: String) {
    state.withLock { $0.certificates[connection] = certificate }
  }

  func close(_ connection: String?) {
    state.withLock { state in
      state.connections -= 1
      if let connection { state.certificates[connection] = nil }
    }
  }

  /// Who made a call with this metadata over the connection of `address` with our end `local`.
  func peer(at address: String, to local: String, _ metadata: Metadata) -> Peer {
    func first(_ name: String) -> String? { metadata[stringValues: name].first { _ in true } }
    return Peer(
      address: address,
      certificate: state.withLock { $0.certificates[connectionName(address, local)] },
      bearerToken: first("authorization").flatMap(Self.token(in:)),
      clusterID: first("clusterid") ?? "")
  }

  /// What follows `Bearer `; RFC 6750, section 2.1, the scheme in any case.
  private static func token(in header: String) -> String? {
    let scheme = "bearer "
    guard header.utf8.count > scheme.utf8.count, header.utf8.count <= ControlLimit.tokenBytes,
      header.prefix(scheme.count).lowercased() == scheme
    else { return nil }
    return String(header.dropFirst(scheme.count))
  }
}

/// Sits above TLS: gives the handshake a limit and notes whose certificate was verified.
final class PeerHandler: ChannelInboundHandler {
  typealias InboundIn = ByteBuffer
  typealias InboundOut = ByteBuffer

  private let table: PeerTable
  private let shown: ShownCertificate
  private var deadline: Scheduled<Void>?

  init(_ table: PeerTable, _ shown: ShownCertificate) {
    self.table = table
    self.shown = shown
  }

  func handlerAdded(context: ChannelHandlerContext) {
    let channel = context.channel
    deadline = context.eventLoop.scheduleTask(
      in: .nanoseconds(ControlLimit.handshakeTimeout.nanoseconds)
    ) {
      channel.close(promise: nil)
    }
  }

  func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
    if let event = event as? TLSUserEvent, case .handshakeCompleted = event {
      deadline?.cancel()
      deadline = nil
      note(context)
    }
    context.fireUserInboundEventTriggered(event)
  }

  func channelInactive(context: ChannelHandlerContext) {
    deadline?.cancel()
    context.fireChannelInactive()
  }

  private func note(_ context: ChannelHandlerContext) {
    guard let certificate = shown.value, let connection = connectionName(context.channel) else {
      return
    }
    table.verified(certificate, on: connection)
  }
}

/// What stands for a connection while it lives; nil for one without addresses.
func connectionName(_ channel: any Channel) -> String? {
  guard let remote = channel.remoteAddress.flatMap(peerName),
    let local = channel.localAddress.flatMap(peerName)
  else { return nil }
  return connectionName(remote, local)
}

private func connectionName(_ remote: String, _ local: String) -> String { "\(remote) \(local)" }

/// An address as gRPC writes it in a call's context.
func peerName(_ address: SocketAddress) -> String? {
  switch address {
  case .v4(let ip): address.port.map { "ipv4:\(ip.host):\($0)" }
  case .v6(let ip): address.port.map { "ipv6:[\(ip.host)]:\($0)" }
  case .unixDomainSocket: nil
  }
}

extension Duration {
  var nanoseconds: Int64 {
    components.seconds * 1_000_000_000 + components.attoseconds / 1_000_000_000
  }
}
