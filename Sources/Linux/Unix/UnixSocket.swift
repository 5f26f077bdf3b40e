import CLinux
import Glibc

/// Unix stream sockets; what they carry is framed by `FrameReader` and `FrameWriter`.
public enum UnixSocket {
  /// Listens on `path` with the given access, taking the place of a socket that is there already.
  ///
  /// The new socket appears whole: it is bound beside the path and renamed onto it, so that nobody
  /// meets a socket that does not listen yet.
  public static func listen(path: String, mode: UInt32 = 0o600) throws(LinuxError) -> Socket {
    let beside = "\(path).\(getpid())"
    let number = try check("socket") { clinux_unix_socket() }
    let socket = Socket(OwnedDescriptor(adopting: number))
    if unsafe unlink(beside) != 0, errno != ENOENT { throw failed("unlink", errno, beside) }
    try check("bind", beside) { unsafe clinux_unix_bind(number, beside) }
    do throws(LinuxError) {
      try check("chmod", beside) { unsafe chmod(beside, mode) }
      try socket.listen()
      try check("rename", path) { unsafe rename(beside, path) }
    } catch {
      // The first failure is the one to tell; a socket file left behind is replaced next time.
      _ = unsafe unlink(beside)
      throw error
    }
    return socket
  }

  /// Connects at once; ECONNREFUSED or ENOENT when nobody listens, EAGAIN when the queue is full.
  public static func connect(path: String) throws(LinuxError) -> Socket {
    let number = try check("socket") { clinux_unix_socket() }
    let socket = Socket(OwnedDescriptor(adopting: number))
    try check("connect", path) { unsafe clinux_unix_connect(number, path) }
    return socket
  }

  /// Two sockets connected to each other.
  public static func pair() throws(LinuxError) -> SocketPair {
    var ends: [2 of CInt] = [-1, -1]
    var span = ends.mutableSpan
    _ = try unsafe span.withUnsafeMutableBufferPointer { buffer throws(LinuxError) in
      try check("socketpair") { unsafe clinux_unix_pair(buffer.baseAddress) }
    }
    return SocketPair(
      first: Socket(OwnedDescriptor(adopting: ends[0])),
      second: Socket(OwnedDescriptor(adopting: ends[1])))
  }
}

public struct SocketPair: ~Copyable, Sendable {
  public let first: Socket
  public let second: Socket

  /// Hands both ends to `body`, one owner each.
  public consuming func separate<Result: ~Copyable, Failure: Error>(
    _ body: (consuming Socket, consuming Socket) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    try body(first, second)
  }
}

/// Who connected, as the kernel saw it then (SO_PEERCRED).
public struct PeerCredentials: Hashable, Sendable {
  public var processID: Int32
  public var userID: UInt32
  public var groupID: UInt32
}

extension Socket {
  public borrowing func peerCredentials() throws(LinuxError) -> PeerCredentials {
    let number = descriptor.number
    var raw = clinux_credentials()
    try check("getsockopt", "SO_PEERCRED") { unsafe clinux_peer_credentials(number, &raw) }
    return PeerCredentials(processID: raw.process, userID: raw.user, groupID: raw.group)
  }
}
