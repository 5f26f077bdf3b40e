/// One place a connection can go to, and how it gets there.
///
///     plaintext     application ─ TCP ─► address
///     local         application ─ this ztunnel ─► address
///     hbone         application ─ tunnel to `dialled`, asking for `authority` ─► address
///     doubleHBONE   application ─ tunnel to `dialled`, the gateway; in it a tunnel of its own
///                   to the far end, both asking for `authority`
public struct Hop: Hashable, Sendable {
  public enum Transport: UInt8, Hashable, Sendable {
    /// The workload is served by this node's ztunnel: no TLS, the kernel proves who is who.
    case local = 0
    /// One tunnel.
    case hbone = 1
    /// The workload is outside the mesh.
    case plaintext = 2
    /// A tunnel to the entry of another network, and in it one to the far end.
    case doubleHBONE = 3
  }

  /// What a CONNECT asks for.
  public enum Authority: Hashable, Sendable {
    case address(SocketAddress)
    case host(String, port: UInt16)
  }

  /// The entry to another network.
  public struct Gateway: Hashable, Sendable {
    public var workloadUID: String
    /// Whom the entry must prove to be: any of these.
    public var identities: [SPIFFEID]

    public init(workloadUID: String, identities: [SPIFFEID]) {
      self.workloadUID = workloadUID
      self.identities = identities
    }
  }

  /// Who takes the connection: where it is meant for, or a waypoint on the way there.
  public var workloadUID: String
  /// True: the workload is a waypoint.
  public var isWaypoint: Bool
  /// Whom the far end must prove to be: any of these; its own identity first, when it is known.
  public var identities: [SPIFFEID]
  /// The pod's address and the port the application listens on.
  ///
  /// Through a waypoint or to another network: what the application dialled.
  public var address: SocketAddress
  public var transport: Transport
  public var authority: Authority
  /// Where the TCP connection of a tunnel or of plaintext goes.
  public var dialled: SocketAddress
  /// Of `doubleHBONE` alone.
  public var gateway: Gateway?
  /// Not empty: `dialled` has a port only, the address behind this name is still to be found.
  public var hostname: String

  /// A hop to where the connection is meant for.
  public init(
    workloadUID: String, identities: [SPIFFEID], address: SocketAddress, transport: Transport
  ) {
    self.workloadUID = workloadUID
    self.identities = identities
    self.address = address
    self.transport = transport
    isWaypoint = false
    authority = .address(address)
    dialled =
      transport == .hbone ? SocketAddress(ip: address.ip, port: AgentPort.hbone) : address
    hostname = ""
  }

  /// The identity that stands for the far end in records; nil when it has none.
  public var identity: SPIFFEID? { identities.first }

  /// The hop once the address of its host name is known.
  public func resolved(to ip: IPAddress) -> Hop {
    var hop = self
    hop.hostname = ""
    hop.dialled.ip = ip
    if !isWaypoint, transport != .doubleHBONE {
      hop.address.ip = ip
      hop.authority = .address(hop.address)
    }
    return hop
  }
}

extension Hop.Authority: CustomStringConvertible {
  /// As `:authority` has it.
  public var description: String {
    switch self {
    case .address(let address): "\(address)"
    case .host(let name, let port): "\(name):\(port)"
    }
  }
}
