import CLinux
import Glibc

public enum ReceiveOutcome: Hashable, Sendable {
  case bytes(Int)
  case endOfFile
  case wouldBlock
  /// The connection is gone: reset, timed out, unreachable.
  case reset(errno: CInt)
}

public enum SendOutcome: Hashable, Sendable {
  /// How many of the bytes the kernel took, at least one unless none were given.
  case sent(Int)
  case wouldBlock
  /// The connection is gone: reset, timed out, or closed by us.
  case failed(errno: CInt)
}

extension Socket {
  /// Appends up to `count` bytes to `buffer`, after making room for them.
  ///
  /// When bytes came, `room` bytes before them are readable too, to be written over with a header
  /// (`Buffer.mutableReadable`); otherwise the buffer's content is as it was.
  public borrowing func receive(
    into buffer: inout Buffer, atMost count: Int, leavingRoomFor room: Int = 0
  ) -> ReceiveOutcome {
    precondition(count > 0 && room >= 0, "receive \(count) bytes after \(room)")
    buffer.ensureFree(room + count)
    var free = buffer.free
    let outcome = receive(into: &free, at: room, atMost: count)
    if case .bytes(let received) = outcome { buffer.filled(room + received) }
    return outcome
  }

  /// Writes up to `count` bytes into `bytes`, from `offset` on.
  public borrowing func receive(
    into bytes: inout MutableSpan<UInt8>, at offset: Int = 0, atMost count: Int
  ) -> ReceiveOutcome {
    precondition(
      offset >= 0 && count > 0 && offset + count <= bytes.count,
      "receive \(count) bytes at \(offset) of \(bytes.count)")
    let number = descriptor.number
    while true {
      let received = unsafe bytes.withUnsafeMutableBufferPointer { room in
        unsafe recv(number, room.baseAddress.unsafelyUnwrapped + offset, count, 0)
      }
      if received > 0 { return .bytes(received) }
      if received == 0 { return .endOfFile }
      switch errno {
      case EINTR: continue
      case EAGAIN: return .wouldBlock
      default: return .reset(errno: failed("recv", errno).errno)
      }
    }
  }

  /// Hands bytes to the kernel, as many as it takes now.
  public borrowing func send(_ bytes: Span<UInt8>) -> SendOutcome {
    if bytes.isEmpty { return .sent(0) }
    let number = descriptor.number
    return unsafe bytes.withUnsafeBufferPointer { source in
      sendOutcome {
        unsafe Glibc.send(number, source.baseAddress, source.count, CInt(MSG_NOSIGNAL))
      }
    }
  }

  /// Sends the front of `buffer` and consumes what was taken.
  public borrowing func send(from buffer: inout Buffer) -> SendOutcome {
    let outcome = send(buffer.readable)
    if case .sent(let count) = outcome { buffer.consume(count) }
    return outcome
  }

  /// Sends two runs of bytes in one system call: a header and its payload.
  public borrowing func send(_ first: Span<UInt8>, _ second: Span<UInt8>) -> SendOutcome {
    if first.isEmpty { return send(second) }
    if second.isEmpty { return send(first) }
    return unsafe first.withUnsafeBufferPointer { first in
      unsafe second.withUnsafeBufferPointer { second in
        var vectors: [2 of iovec] = unsafe [vector(first), vector(second)]
        var span = unsafe vectors.mutableSpan
        return unsafe span.withUnsafeMutableBufferPointer { unsafe gather($0) }
      }
    }
  }

  /// Sends the given ranges of `bytes`, in their order, in one system call.
  ///
  /// At most `Limit.rangesPerSend` of them; ask again for the rest.
  public borrowing func sendGathered(
    _ bytes: Span<UInt8>, ranges: Span<Range<Int>>
  ) -> SendOutcome {
    // Most batches hold one range per socket.
    if ranges.count == 1 { return send(bytes.extracting(ranges[0])) }
    var vectors = unsafe [64 of iovec](repeating: iovec())
    let count = min(ranges.count, Limit.rangesPerSend)
    return unsafe bytes.withUnsafeBufferPointer { source in
      for index in 0..<count {
        let range = ranges[index]
        precondition(
          range.lowerBound >= 0 && range.upperBound <= source.count,
          "range \(range) of \(source.count) bytes")
        unsafe vectors[index] = vector(UnsafeBufferPointer(rebasing: source[range]))
      }
      var span = unsafe vectors.mutableSpan
      return unsafe span.withUnsafeMutableBufferPointer { all in
        unsafe gather(UnsafeMutableBufferPointer(rebasing: all[0..<count]))
      }
    }
  }

  private borrowing func gather(_ vectors: UnsafeMutableBufferPointer<iovec>) -> SendOutcome {
    let number = descriptor.number
    var message = unsafe msghdr()
    unsafe message.msg_iov = vectors.baseAddress
    unsafe message.msg_iovlen = vectors.count
    return sendOutcome { unsafe sendmsg(number, &message, CInt(MSG_NOSIGNAL)) }
  }

  /// Sends no more; the peer reads to the end.
  public borrowing func shutdownWrite() {
    // ENOTCONN: the connection is already gone in both directions.
    _ = shutdown(descriptor.number, CInt(SHUT_WR))
  }

  /// Closes with RST instead of FIN: the peer sees a reset, nothing lingers here.
  public consuming func closeWithReset() {
    // A socket that cannot be told so is closed all the same, with FIN.
    _ = clinux_set_linger(descriptor.number, 0)
  }
}

private func vector(_ bytes: UnsafeBufferPointer<UInt8>) -> iovec {
  unsafe iovec(
    iov_base: UnsafeMutableRawPointer(mutating: bytes.baseAddress), iov_len: bytes.count)
}

@inline(always)
private func sendOutcome(_ body: () -> Int) -> SendOutcome {
  while true {
    let sent = body()
    if sent >= 0 { return .sent(sent) }
    switch errno {
    case EINTR: continue
    case EAGAIN: return .wouldBlock
    default: return .failed(errno: failed("send", errno).errno)
    }
  }
}
