public import MeshModel

/// What becomes of a pod's connections: all are ztunnel's, but on the pod's way in and out of the mesh.
public struct Passage: Hashable, Sendable {
  /// In the order of `redirect_mode`, which says what each means.
  public enum Mode: UInt32, Hashable, Sendable {
    case capture, enter, keep, leave, drain
  }

  public var mode: Mode
  /// When the connections that were let live are cut; on `MonotonicClock`.
  public var until: Instant

  public static let capture = Passage(.capture, until: Instant(nanoseconds: 0))

  public init(_ mode: Mode, until: Instant) {
    self.mode = mode
    self.until = until
  }
}

/// One end of a connection of a pod, by the pod's own socket.
struct PodConnection: Hashable, Sendable {
  var cookie: UInt64
  var local: SocketAddress
  var remote: SocketAddress
  /// Whether ztunnel has the other end in this very pod.
  var isCaptured: Bool
}
