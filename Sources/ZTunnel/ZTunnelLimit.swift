import MeshModel

/// Every bound and timeout of the tunnel engine.
enum ZTunnelLimit {
  // MARK: Steps of a dial

  /// TCP connect to another node, to port 15008 or to a destination outside the mesh.
  static let tcpConnect = Duration.seconds(10)
  /// TCP connect to an application on this node; shorter than `connectAnswer` at the other end, so
  /// that the far side hears 503 instead of silence.
  static let applicationConnect = Duration.seconds(8)
  static let tlsHandshake = Duration.seconds(10)
  /// From the end of the TLS handshake to the peer's SETTINGS.
  static let settings = Duration.seconds(10)
  /// From CONNECT to its answer.
  static let connectAnswer = Duration.seconds(10)
  /// How long a pod may refuse tunnels before a connection to it fails: its node may have heard later
  /// than this one that it comes into the mesh.
  static let refusedTunnelWait = Duration.seconds(3)
  /// How long the connection rests before it tries again.
  static let refusedTunnelRest = Duration.milliseconds(100)
  /// Wait for a certificate of our own, or for the workload's record.
  static let identityWait = Duration.seconds(5)

  /// Finding the address of a workload that has only a host name, all resolvers together.
  static let hostLookup = Duration.seconds(8)
  /// From a question to one resolver to its answer.
  static let resolverAnswer = Duration.seconds(2)
  /// Resolvers that are asked, as many as the C library asks (MAXNS).
  static let resolvers = 3
  /// Where they are written, and how long what was read counts.
  static let resolverFile = "/etc/resolv.conf"
  static let resolverFileAge = Duration.seconds(30)
  /// Names and families a worker remembers, and for how long at most.
  static let knownHosts = 4_096
  static let knownHostSeconds: UInt32 = 300
  /// How long it remembers that a name has no address.
  static let absentHostSeconds: UInt32 = 5

  /// Times one connection goes back to the same endpoint because its tunnel connection broke.
  static let redials = 2

  // MARK: Tunnel connections

  /// A pooled tunnel connection without streams closes after this.
  static let tunnelIdle = Duration.seconds(300)
  /// From the last sign of life to the next PING.
  static let pingInterval = Duration.seconds(10)
  /// From a PING to its answer.
  static let pingAnswer = Duration.seconds(20)
  /// From the announcement that a tunnel connection drains to naming its last stream.
  static let drainEcho = Duration.seconds(1)
  /// Streams of ours on one tunnel connection; the peer may allow fewer.
  static let streamsPerTunnel = 200
  /// Tunnel connections of one key, whose streams share one destination.
  static let tunnelsPerKey = 64
  /// Wait for room on a tunnel connection, with dialling one and its TLS handshake.
  static let tunnelRoom = Duration.seconds(25)
  /// Connections that may wait for tunnel connections of one key.
  static let waitingPerKey = 4_096
  /// Inbound connections of a worker whose handshake is not done, at about 80 KB each; the oldest
  /// gives way to the next.
  static let handshakesPerWorker = 256
  /// How long an application may go on sending to a stream that is over without error.
  static let linger = Duration.seconds(5)

  // MARK: Bytes

  /// A tunnel connection's plaintext and ciphertext waiting for the socket, beyond which
  /// applications are not read; also what one flush tries to write.
  static let backlogBytes = 256 * 1_024
  /// Bytes of one read from an application: with its frame header a quarter of a flush.
  static let readBytes = 64 * 1_024 - 9
  /// Bytes of one read of ciphertext.
  static let cipherReadBytes = 128 * 1_024
  /// Plaintext parsed at once.
  static let plainBytes = 256 * 1_024
  /// Bytes one plain relay direction moves at once.
  static let relayBytes = 256 * 1_024
  /// One piece of what waits for an application that reads slowly.
  static let chunkBytes = 128 * 1_024
  /// Such pieces a worker keeps at hand.
  static let spareChunks = 32
  /// They go back to the kernel when none was used for so long.
  static let chunkRest = Duration.milliseconds(200)
  /// Reads of one connection before others get their turn.
  static let readsPerTurn = 4
  /// Connections taken from one listener before others get their turn.
  static let acceptsPerTurn = 32

  // MARK: Accepting

  static let listenBacklog = 4_096
  /// A listener rests this long when no descriptor is left.
  static let descriptorRest = Duration.milliseconds(100)
  /// A canary must have sent its nonce by then.
  static let canary = Duration.seconds(5)
  static let canaryBytes = 8
  /// Canaries of one pod that one worker tells the agent of; others are reset.
  static let canariesPerSecond = 20
  /// Sockets a worker may have more than another before it hands new connections over.
  static let imbalance = 4

  /// Counters of whose turn it is, shared by all destinations of a worker.
  static let turnCounters = 1_024

  // MARK: TCP

  static let keepAliveIdle = Duration.seconds(180)
  static let keepAliveInterval = Duration.seconds(180)
  static let keepAliveProbes = 9

  // MARK: Records

  /// Distinct label sets per worker; what comes after is counted in one without names.
  static let labelSets = 10_000
  /// Bytes queued for an agent that reads slowly; records beyond are dropped and counted.
  static let agentBacklogBytes = 8 * 1_024 * 1_024
  /// How long a worker keeps a record, so that those of many connections travel together.
  static let messageDelay = Duration.milliseconds(20)
  static let messagesPerReport = 256
  /// Reports the control thread may be behind by.
  static let reports = 4_096
  /// From finding the control thread's mailbox full to the next attempt.
  static let reportRetry = Duration.milliseconds(10)

  // MARK: Memory

  /// Allocations of this size and more go back to the kernel as soon as they are freed: the
  /// buffers of tunnel connections after a load.
  static let mappedBytes = 128 * 1_024
  /// Between two looks at whether the heap should shrink.
  static let trimInterval = Duration.seconds(15)
  /// Below this peak there is nothing to give back.
  static let socketsWorthTrimming = 256

  // MARK: Agent

  static let agentRetry = Duration.milliseconds(100)
  /// The agent's `configure` must be among the first messages after our hello.
  static let inspectionWait = Duration.seconds(1)
  /// Drain after SIGTERM when no agent named a deadline.
  static let drainOnSignal = Duration.seconds(5)
  static let pods = 4_096
  static let threads = 64
}
