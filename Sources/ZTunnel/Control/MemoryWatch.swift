import MeshModel

/// Decides when the heap's free pages go back to the kernel: after a peak has passed.
///
/// Pure: the numbers and the time are arguments.
struct MemoryWatch {
  private var peak = 0
  private(set) var nextLook = Instant(nanoseconds: 0)

  /// A peak is remembered, so there is something to look at later.
  var isWatching: Bool { peak > ZTunnelLimit.socketsWorthTrimming }

  /// True once when far fewer sockets are left than there were.
  mutating func shouldTrim(sockets: Int, at now: Instant) -> Bool {
    peak = max(peak, sockets)
    guard isWatching, nextLook <= now else { return false }
    nextLook = now + ZTunnelLimit.trimInterval
    guard sockets * 2 < peak else { return false }
    peak = sockets
    return true
  }
}
