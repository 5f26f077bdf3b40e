import CLinux
import Glibc

/// The frames that wait for a socket to take them, in order, with the descriptors they own.
public struct FrameWriter: ~Copyable {
  private var queue: [QueuedFrame] = []
  private var nextIndex = 0
  /// Bytes that wait, headers included.
  public private(set) var queuedBytes = 0

  public init() {}

  public var isEmpty: Bool { nextIndex == queue.count }
  public var queuedFrames: Int { queue.count - nextIndex }

  /// Takes a frame to be sent by the next `flush`.
  ///
  /// Throws `queueFull` when the peer has not read for too long: drop the connection.
  public mutating func enqueue(
    _ payload: Span<UInt8>, descriptors: consuming DescriptorList = DescriptorList()
  ) throws(FrameError) {
    guard payload.count <= Frame.Limit.payloadBytes else {
      throw .tooLong(byteCount: payload.count)
    }
    guard queuedFrames < Frame.Limit.queuedFrames,
      queuedBytes + payload.count <= Frame.Limit.queuedBytes
    else { throw .queueFull }
    let frame = QueuedFrame(payload, descriptors)
    queuedBytes += frame.bytes.count
    queue.append(frame)
  }

  public enum Outcome: Hashable, Sendable {
    /// Nothing waits any more.
    case drained
    /// Flush again when the socket is writable.
    case wouldBlock
  }

  public mutating func flush(to socket: borrowing Socket) throws(FrameError) -> Outcome {
    while nextIndex < queue.count {
      let frame = queue[nextIndex]
      guard let count = try send(frame, to: socket) else {
        compact()
        return .wouldBlock
      }
      queuedBytes -= count
      frame.sentBytes += count
      // The descriptors went with the first byte; our copies close.
      if !frame.descriptors.isEmpty { frame.descriptors = DescriptorList() }
      if frame.sentBytes == frame.bytes.count { nextIndex += 1 }
    }
    queue.removeAll(keepingCapacity: queue.count < 64)
    nextIndex = 0
    return .drained
  }

  /// Drops what was sent once it is the larger part, so that each frame moves once at most.
  private mutating func compact() {
    guard nextIndex > queue.count / 2 else { return }
    queue.removeFirst(nextIndex)
    nextIndex = 0
  }
}

private final class QueuedFrame {
  let bytes: [UInt8]
  var sentBytes = 0
  var descriptors: DescriptorList

  init(_ payload: Span<UInt8>, _ descriptors: consuming DescriptorList) {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(Frame.headerBytes + payload.count)
    for shift in stride(from: 24, through: 0, by: -8) {
      bytes.append(UInt8(truncatingIfNeeded: payload.count >> shift))
    }
    unsafe payload.withUnsafeBufferPointer { unsafe bytes.append(contentsOf: $0) }
    self.bytes = bytes
    self.descriptors = descriptors
  }
}

/// Bytes the kernel took, nil when it would block.
private func send(
  _ frame: QueuedFrame, to socket: borrowing Socket
) throws(FrameError) -> Int? {
  let number = socket.number
  let remaining = frame.bytes[frame.sentBytes...]
  let sent = unsafe remaining.withUnsafeBufferPointer { bytes in
    frame.descriptors.withNumbers { numbers in
      unsafe numbers.withUnsafeBufferPointer { numbers in
        var result: Int
        repeat {
          result = unsafe clinux_send_rights(
            number, bytes.baseAddress, bytes.count, numbers.baseAddress, CInt(numbers.count))
        } while result < 0 && errno == EINTR
        return result
      }
    }
  }
  if sent >= 0 { return sent }
  if errno == EAGAIN { return nil }
  throw .failed(failed("sendmsg", errno))
}
