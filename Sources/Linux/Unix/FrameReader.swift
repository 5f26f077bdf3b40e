import CLinux
import Glibc

/// Puts frames together from what a non-blocking socket has to give.
///
/// It reads a length alone, then no further than its frame's end, so descriptors always belong to the
/// frame that is being read. A peer can make it hold one payload and eight descriptors, no more.
public struct FrameReader: ~Copyable {
  private var header: [4 of UInt8] = [0, 0, 0, 0]
  private var headerCount = 0
  /// Nil while the length is incomplete.
  private var remaining: Int?
  private var payload = Buffer()
  private var descriptors = DescriptorList()

  public init() {}

  public enum Outcome: ~Copyable {
    case frame(ReceivedFrame)
    case wouldBlock
    /// The peer closed between frames.
    case endOfFile
  }

  /// The next whole frame, or why there is none yet; call until it is not a frame.
  ///
  /// After an error the stream is lost: drop the reader and the socket.
  public mutating func read(from socket: borrowing Socket) throws(FrameError) -> Outcome {
    while remaining != 0 {
      let progress =
        if let remaining { try readPayload(socket, atMost: remaining) } else {
          try readHeader(socket)
        }
      switch progress {
      case .wouldBlock: return .wouldBlock
      case .endOfFile where headerCount == 0: return .endOfFile
      case .endOfFile: throw .cutShort
      case .bytes: continue
      }
    }
    return .frame(takeFrame())
  }

  private enum Progress {
    case bytes
    case wouldBlock
    case endOfFile
  }

  private mutating func readHeader(_ socket: borrowing Socket) throws(FrameError) -> Progress {
    var span = header.mutableSpan
    guard
      var received = try receive(socket, into: &span, at: headerCount..<Frame.headerBytes)
    else { return .wouldBlock }
    if received.count == 0 { return .endOfFile }
    if !received.descriptors.isEmpty {
      guard headerCount == 0 else { throw .misplacedDescriptors }
      swap(&descriptors, &received.descriptors)
    }
    headerCount += received.count
    if headerCount == Frame.headerBytes { try startPayload() }
    return .bytes
  }

  private mutating func readPayload(
    _ socket: borrowing Socket, atMost remaining: Int
  ) throws(FrameError) -> Progress {
    // Room grows with what has truly arrived.
    payload.ensureFree(min(remaining, max(Frame.Limit.firstRoomBytes, payload.count)))
    var free = payload.free
    guard let received = try receive(socket, into: &free, at: 0..<min(remaining, free.count))
    else { return .wouldBlock }
    if received.count == 0 { return .endOfFile }
    guard received.descriptors.isEmpty else { throw .misplacedDescriptors }
    payload.filled(received.count)
    self.remaining = remaining - received.count
    return .bytes
  }

  private mutating func startPayload() throws(FrameError) {
    var length = 0
    for index in 0..<Frame.headerBytes { length = length << 8 | Int(header[index]) }
    guard length <= Frame.Limit.payloadBytes else { throw .tooLong(byteCount: length) }
    remaining = length
  }

  private mutating func takeFrame() -> ReceivedFrame {
    var buffer = Buffer()
    swap(&buffer, &payload)
    var list = DescriptorList()
    swap(&list, &descriptors)
    (headerCount, remaining) = (0, nil)
    return ReceivedFrame(buffer: buffer, descriptors: list)
  }
}

private struct Received: ~Copyable {
  /// 0 at the end of the stream.
  let count: Int
  var descriptors: DescriptorList
}

/// Fills the front of `range`; nil when it would block.
private func receive(
  _ socket: borrowing Socket, into bytes: inout MutableSpan<UInt8>, at range: Range<Int>
) throws(FrameError) -> Received? {
  precondition(!range.isEmpty && range.upperBound <= bytes.count, "receive \(range)")
  let number = socket.number
  var numbers = [8 of CInt](repeating: -1)
  var numberCount: CInt = 0
  var wasCut: CInt = 0
  var span = numbers.mutableSpan
  let count = unsafe bytes.withUnsafeMutableBufferPointer { room in
    unsafe span.withUnsafeMutableBufferPointer { list in
      var result: Int
      repeat {
        result = unsafe clinux_receive_rights(
          number, room.baseAddress.unsafelyUnwrapped + range.lowerBound, range.count,
          list.baseAddress, CInt(list.count), &numberCount, &wasCut)
      } while result < 0 && errno == EINTR
      return result
    }
  }
  if count < 0 {
    if errno == EAGAIN { return nil }
    throw .failed(failed("recvmsg", errno))
  }
  var descriptors = DescriptorList()
  for index in 0..<Int(numberCount) {
    descriptors.append(OwnedDescriptor(adopting: numbers[index]))
  }
  guard wasCut == 0 else { throw .tooManyDescriptors }
  return Received(count: count, descriptors: descriptors)
}
