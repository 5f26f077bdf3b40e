import Glibc
@testable import Linux
import Testing

/// Sends every frame of `writer`, reading with `reader` on the other end meanwhile.
private func next(
  _ reader: inout FrameReader, _ socket: borrowing Socket
) throws -> (payload: [UInt8], inodes: [UInt64])? {
  switch try reader.read(from: socket) {
  case .frame(var frame):
    var inodes: [UInt64] = []
    while let descriptor = frame.descriptors.takeFirst() { inodes.append(try inode(descriptor)) }
    return (frame.payload.array, inodes)
  case .wouldBlock: return nil
  case .endOfFile: return nil
  }
}

private func inode(_ descriptor: borrowing OwnedDescriptor) throws -> UInt64 {
  var status = stat()
  try check("fstat") { unsafe fstat(descriptor.number, &status) }
  return UInt64(status.st_ino)
}

/// What `read` says instead of a frame.
private func failure(_ reader: inout FrameReader, _ socket: borrowing Socket) -> FrameError? {
  do throws(FrameError) {
    _ = try reader.read(from: socket)
    return nil
  } catch {
    return error
  }
}

@Suite struct `A frame` {
  @Test func `arrives whole, in order, with its own descriptors`() throws {
    let ends = try UnixSocket.pair()
    let pipe = try Pipe()
    var writer = FrameWriter()
    var list = DescriptorList()
    try list.append(copying: pipe.readEnd)
    try list.append(copying: pipe.writeEnd)
    try writer.enqueue([UInt8]("first").span)
    try writer.enqueue([UInt8]("second").span, descriptors: list)
    let none: [UInt8] = []
    try writer.enqueue(none.span)
    #expect(try writer.flush(to: ends.first) == .drained)
    #expect(writer.isEmpty && writer.queuedBytes == 0)

    var reader = FrameReader()
    let first = try #require(try next(&reader, ends.second))
    #expect(first.payload == [UInt8]("first") && first.inodes.isEmpty)
    let second = try #require(try next(&reader, ends.second))
    #expect(second.payload == [UInt8]("second"))
    #expect(try second.inodes == [inode(pipe.readEnd), inode(pipe.writeEnd)])
    let third = try #require(try next(&reader, ends.second))
    #expect(third.payload.isEmpty)
    #expect(try next(&reader, ends.second) == nil)
  }

  @Test func `may carry as many descriptors as the limit says`() throws {
    let ends = try UnixSocket.pair()
    let pipe = try Pipe()
    var list = DescriptorList()
    for _ in 0..<DescriptorList.Limit.perFrame { try list.append(copying: pipe.readEnd) }
    var writer = FrameWriter()
    try writer.enqueue([1].span, descriptors: list)
    #expect(try writer.flush(to: ends.first) == .drained)
    var reader = FrameReader()
    let frame = try #require(try next(&reader, ends.second))
    #expect(frame.inodes.count == 8)
  }

  @Test func `may arrive byte by byte`() throws {
    let ends = try UnixSocket.pair()
    var reader = FrameReader()
    for byte: UInt8 in [0, 0, 0, 3, 7, 8] {
      #expect(ends.first.send([byte].span) == .sent(1))
      #expect(try next(&reader, ends.second) == nil)
    }
    #expect(ends.first.send([9].span) == .sent(1))
    let frame = try #require(try next(&reader, ends.second))
    #expect(frame.payload == [7, 8, 9])
  }

  @Test func `larger than the socket's buffer goes in parts`() throws {
    let ends = try UnixSocket.pair()
    let pipe = try Pipe()
    let payload = (0..<(5 << 20)).map { UInt8(truncatingIfNeeded: $0 / 7) }
    var list = DescriptorList()
    try list.append(copying: pipe.readEnd)
    var writer = FrameWriter()
    try writer.enqueue(payload.span, descriptors: list)
    var reader = FrameReader()
    var received: (payload: [UInt8], inodes: [UInt64])?
    var stalls = 0
    while received == nil, stalls < 10_000 {
      if try writer.flush(to: ends.first) == .wouldBlock { stalls += 1 }
      received = try next(&reader, ends.second)
    }
    #expect(stalls > 0)
    #expect(received?.payload == payload)
    #expect(received?.inodes.count == 1)
  }

  @Test func `that claims too much is refused before any room is made for it`() throws {
    let ends = try UnixSocket.pair()
    #expect(ends.first.send([0xff, 0xff, 0xff, 0xff].span) == .sent(4))
    var reader = FrameReader()
    #expect(failure(&reader, ends.second) == .tooLong(byteCount: 0xffff_ffff))
    var writer = FrameWriter()
    let large = [UInt8](repeating: 0, count: Frame.Limit.payloadBytes + 1)
    #expect(throws: FrameError.tooLong(byteCount: large.count)) {
      try writer.enqueue(large.span)
    }
  }

  @Test func `cut short is an error, an end between frames is none`() throws {
    let cut = try UnixSocket.pair()
    #expect(cut.first.send([0, 0, 0, 9, 1].span) == .sent(5))
    cut.first.shutdownWrite()
    var reader = FrameReader()
    #expect(failure(&reader, cut.second) == .cutShort)

    let whole = try UnixSocket.pair()
    #expect(whole.first.send([0, 0, 0, 1, 1].span) == .sent(5))
    whole.first.shutdownWrite()
    var other = FrameReader()
    let frame = try #require(try next(&other, whole.second))
    #expect(frame.payload == [1])
    guard case .endOfFile = try other.read(from: whole.second) else {
      Issue.record("the end was not seen")
      return
    }
  }

  @Test func `with descriptors too many or out of place is refused, and they are closed`() async {
    await #expect(processExitsWith: .success) {
      try keepsDescriptorCount {
        for (bytes, count): ([UInt8], Int) in [([0, 0, 0, 1], 9), ([0], 0)] {
          let ends = try UnixSocket.pair()
          let pipe = try Pipe()
          var reader = FrameReader()
          if count == 0 {
            demand(ends.first.send(bytes.span) == .sent(1))
            try demand(next(&reader, ends.second) == nil)
            try sendRaw(ends.first, [0], [pipe.readEnd.number])
            demand(failure(&reader, ends.second) == .misplacedDescriptors)
          } else {
            try sendRaw(ends.first, bytes, [CInt](repeating: pipe.readEnd.number, count: count))
            demand(failure(&reader, ends.second) == .tooManyDescriptors)
          }
        }
      }
    }
  }

  @Test func `nobody takes closes its descriptors`() async {
    await #expect(processExitsWith: .success) {
      try keepsDescriptorCount {
        let ends = try UnixSocket.pair()
        let pipe = try Pipe()
        var list = DescriptorList()
        try list.append(copying: pipe.readEnd)
        var writer = FrameWriter()
        try writer.enqueue([1].span, descriptors: list)
        try writer.enqueue([2].span)
        try demand(writer.flush(to: ends.first) == .drained)
        var reader = FrameReader()
        guard case .frame = try reader.read(from: ends.second) else {
          return demand(false, "no frame")
        }
      }
    }
  }

  @Test func `for a peer that never reads is refused at the limit`() throws {
    let ends = try UnixSocket.pair()
    var writer = FrameWriter()
    let payload = [UInt8](repeating: 0, count: 8 << 20)
    for _ in 0..<7 { try writer.enqueue(payload.span) }
    #expect(try writer.flush(to: ends.first) == .wouldBlock)
    #expect(throws: FrameError.queueFull) {
      for _ in 0..<3 { try writer.enqueue(payload.span) }
    }
    #expect(writer.queuedBytes <= Frame.Limit.queuedBytes)
  }

  @Test func `made of any bytes at all ends in frames or an error`() throws {
    for _ in 0..<300 {
      let ends = try UnixSocket.pair()
      // Short lengths are likelier than chance would make them.
      let bytes = (0..<200).map { _ in
        Bool.random() ? 0 : UInt8.random(in: 0...(Bool.random() ? 9 : 255))
      }
      #expect(ends.first.send(bytes.span) == .sent(200))
      ends.first.shutdownWrite()
      var reader = FrameReader()
      var payloadBytes = 0
      var frames = 0
      do {
        while let frame = try next(&reader, ends.second) {
          payloadBytes += frame.payload.count
          frames += 1
        }
      } catch let error as FrameError {
        switch error {
        case .tooLong, .cutShort: break
        default: Issue.record(error)
        }
      }
      #expect(payloadBytes + 4 * frames <= 200)
    }
  }

  @Test func `to a peer that went away is an error, not a signal`() throws {
    var writer = FrameWriter()
    let error = try UnixSocket.pair().separate { (first, second) throws(LinuxError) in
      _ = consume second
      do throws(FrameError) {
        try writer.enqueue([1].span)
        _ = try writer.flush(to: first)
        return FrameError?.none
      } catch {
        return error
      }
    }
    #expect(error == .failed(LinuxError(call: "sendmsg", errno: EPIPE)))
  }
}

/// Sends bytes and descriptors as a peer without manners would.
private func sendRaw(
  _ socket: borrowing Socket, _ bytes: [UInt8], _ numbers: [CInt]
) throws(LinuxError) {
  try check("sendmsg") { rawSend(socket.number, bytes, numbers) }
}

@Suite struct `A Unix socket` {
  @Test func `accepts, and knows who connected`() throws {
    let directory = try makeDirectory()
    let path = "\(directory)/test.sock"
    let listener = try UnixSocket.listen(path: path)
    let client = try UnixSocket.connect(path: path)
    let server = try acceptOne(listener).takeSocket()
    let credentials = try server.peerCredentials()
    #expect(credentials.processID == getpid() && credentials.userID == geteuid())
    #expect(client.send([1].span) == .sent(1))
    try File.remove(path)
    try Directory.remove(directory)
  }

  @Test func `takes the place of one that was left behind`() throws {
    let directory = try makeDirectory()
    let path = "\(directory)/test.sock"
    let old = try UnixSocket.listen(path: path)
    let new = try UnixSocket.listen(path: path)
    _ = try UnixSocket.connect(path: path)
    let (toOld, toNew) = (try old.accept() != nil, try new.accept() != nil)
    #expect(!toOld && toNew)
    #expect(try Directory.entries(directory) == ["test.sock"])
    try File.remove(path)
    try Directory.remove(directory)
  }

  @Test func `says that nobody listens, or that there is nothing`() throws {
    let directory = try makeDirectory()
    let path = "\(directory)/test.sock"
    let missing = #expect(throws: LinuxError.self) { _ = try UnixSocket.connect(path: path) }
    #expect(missing?.isNotFound == true && missing?.subject == path)
    _ = try UnixSocket.listen(path: path)
    let closed = #expect(throws: LinuxError.self) { _ = try UnixSocket.connect(path: path) }
    #expect(closed?.isRefused == true)
    let long = "/tmp/" + String(repeating: "x", count: 200)
    let error = #expect(throws: LinuxError.self) { _ = try UnixSocket.listen(path: long) }
    #expect(error?.errno == ENAMETOOLONG)
    try File.remove(path)
    try Directory.remove(directory)
  }
}
