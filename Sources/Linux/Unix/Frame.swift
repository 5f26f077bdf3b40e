/// A length-prefixed message over a Unix stream socket, with descriptors beside it.
///
///     length u32, big-endian | payload
///
/// The descriptors arrive with the first byte of the length.
public enum Frame {
  public enum Limit {
    /// Bytes of one payload.
    public static let payloadBytes = 16 << 20
    /// Bytes a reader makes room for before it has seen any: a length is only a claim.
    public static let firstRoomBytes = 64 << 10
    /// Payload bytes a writer holds for a peer that does not read.
    public static let queuedBytes = 64 << 20
    /// Sends a writer holds for a peer that does not read.
    public static let queuedSends = 65_536
    /// Frames that carry no descriptors share a send until it has so many bytes.
    public static let bytesPerSend = 64 << 10
  }

  static let headerBytes = 4
}

/// A frame that arrived whole.
public struct ReceivedFrame: ~Copyable {
  private let buffer: Buffer
  /// What came beside it; what is not taken closes with the frame.
  public var descriptors: DescriptorList

  init(buffer: consuming Buffer, descriptors: consuming DescriptorList) {
    self.buffer = buffer
    self.descriptors = descriptors
  }

  public var payload: Span<UInt8> {
    @_lifetime(borrow self)
    borrowing get { buffer.readable }
  }
}

/// Why a connection cannot go on: the stream of frames is lost.
public enum FrameError: Error, Hashable, Sendable {
  case tooLong(byteCount: Int)
  /// The peer closed inside a frame.
  case cutShort
  case tooManyDescriptors
  /// Descriptors came in the middle of a frame.
  case misplacedDescriptors
  /// The peer does not read: the writer's limit is reached.
  case queueFull
  case failed(LinuxError)
}

extension FrameError: CustomStringConvertible {
  public var description: String {
    switch self {
    case .tooLong(let count):
      "a frame of \(count) bytes, more than \(Frame.Limit.payloadBytes): not our protocol"
    case .cutShort: "the peer closed inside a frame"
    case .tooManyDescriptors: "more than \(DescriptorList.Limit.perFrame) descriptors in one frame"
    case .misplacedDescriptors: "descriptors in the middle of a frame"
    case .queueFull: "the peer does not read: \(Frame.Limit.queuedBytes) bytes wait for it"
    case .failed(let error): error.description
    }
  }
}
