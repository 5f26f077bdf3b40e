import CLinux
import Glibc

/// The frames that wait for a socket to take them, in order, with the descriptors they own.
public struct FrameWriter: ~Copyable {
  private var queue: [QueuedSend] = []
  private var nextIndex = 0
  /// Bytes that wait, headers included.
  public private(set) var queuedBytes = 0

  public init() {}

  public var isEmpty: Bool { nextIndex == queue.count }

  /// Takes a frame to be sent by the next `flush`.
  ///
  /// Throws `queueFull` when the peer has not read for too long: drop the connection.
  public mutating func enqueue(
    _ payload: Span<UInt8>, descriptors: consuming DescriptorList = DescriptorList()
  ) throws(FrameError) {
    guard payload.count <= Frame.Limit.payloadBytes else {
      throw .tooLong(byteCount: payload.count)
    }
    guard queue.count - nextIndex < Frame.Limit.queuedSends,
      queuedBytes + payload.count <= Frame.Limit.queuedBytes
    else { throw .queueFull }
    queuedBytes += Frame.headerBytes + payload.count
    if descriptors.isEmpty, !isEmpty, let last = queue.last, last.takesMore {
      last.append(payload)
    } else {
      queue.append(QueuedSend(payload, descriptors))
    }
  }

  public enum Outcome: Hashable, Sendable {
    /// Nothing waits any more.
    case drained
    /// Flush again when the socket is writable.
    case wouldBlock
  }

  public mutating func flush(to socket: borrowing Socket) throws(FrameError) -> Outcome {
    while nextIndex < queue.count {
      let next = queue[nextIndex]
      guard let count = try send(next, to: socket) else {
        compact()
        return .wouldBlock
      }
      queuedBytes -= count
      next.sentBytes += count
      // The descriptors went with the first byte; our copies close.
      if !next.descriptors.isEmpty { next.descriptors = DescriptorList() }
      if next.sentBytes == next.bytes.count { nextIndex += 1 }
    }
    queue.removeAll(keepingCapacity: queue.count < 64)
    nextIndex = 0
    return .drained
  }

  /// Drops what was sent once it is the larger part, so that each send moves once at most.
  private mutating func compact() {
    guard nextIndex > queue.count / 2 else { return }
    queue.removeFirst(nextIndex)
    nextIndex = 0
  }
}

/// A frame with the descriptors beside it, or a run of frames without any.
private final class QueuedSend {
  private(set) var bytes: [UInt8] = []
  var sentBytes = 0
  var descriptors: DescriptorList

  init(_ payload: Span<UInt8>, _ descriptors: consuming DescriptorList) {
    self.descriptors = descriptors
    bytes.reserveCapacity(Frame.headerBytes + payload.count)
    append(payload)
  }

  var takesMore: Bool { descriptors.isEmpty && bytes.count < Frame.Limit.bytesPerSend }

  func append(_ payload: Span<UInt8>) {
    for shift in stride(from: 24, through: 0, by: -8) {
      bytes.append(UInt8(truncatingIfNeeded: payload.count >> shift))
    }
    unsafe payload.withUnsafeBufferPointer { unsafe bytes.append(contentsOf: $0) }
  }
}

/// Bytes the kernel took, nil when it would block.
private func send(
  _ next: QueuedSend, to socket: borrowing Socket
) throws(FrameError) -> Int? {
  let number = socket.number
  let remaining = next.bytes[next.sentBytes...]
  let sent = unsafe remaining.withUnsafeBufferPointer { bytes in
    next.descriptors.withNumbers { numbers in
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
