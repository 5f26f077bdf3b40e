import CLinux
import Glibc

/// A file descriptor with one owner: moving it hands the duty to close over, dropping it closes.
public struct OwnedDescriptor: ~Copyable, Sendable {
  public let number: CInt

  /// Takes over a descriptor a system call just returned.
  public init(adopting number: CInt) {
    precondition(number >= 0, "adopted descriptor \(number)")
    self.number = number
  }

  deinit {
    let result = Glibc.close(number)
    precondition(result == 0 || errno != EBADF, "descriptor \(number) was closed by someone else")
  }

  /// Gives the number away, to a C library that will close it.
  public consuming func release() -> CInt {
    let number = self.number
    discard self
    return number
  }

  /// Another descriptor of the same open file.
  public borrowing func duplicate() throws(LinuxError) -> OwnedDescriptor {
    let number = number
    return OwnedDescriptor(adopting: try check("fcntl") { clinux_duplicate(number, 3) })
  }
}

/// A descriptor that several owners keep open; it closes with the last of them.
public final class SharedDescriptor: Sendable {
  public let descriptor: OwnedDescriptor

  public init(_ descriptor: consuming OwnedDescriptor) {
    self.descriptor = descriptor
  }

  public var number: CInt { descriptor.number }
}

/// A pair of pipe ends, closed with the value.
public struct Pipe: ~Copyable, Sendable {
  public let readEnd: OwnedDescriptor
  public let writeEnd: OwnedDescriptor

  /// - blocks: as a program expects of its standard output; else both ends are non-blocking.
  public init(blocks: Bool = false) throws(LinuxError) {
    let flags = blocks ? O_CLOEXEC : O_CLOEXEC | O_NONBLOCK
    var ends: [2 of CInt] = [-1, -1]
    var span = ends.mutableSpan
    _ = try unsafe span.withUnsafeMutableBufferPointer { buffer throws(LinuxError) in
      try check("pipe2") { unsafe clinux_pipe2(buffer.baseAddress, flags) }
    }
    readEnd = OwnedDescriptor(adopting: ends[0])
    writeEnd = OwnedDescriptor(adopting: ends[1])
  }

  /// Keeps the read end open past the value; the write end closes now.
  public consuming func takeReadEnd() -> OwnedDescriptor { readEnd }

  /// Keeps the write end open past the value; the read end closes now.
  public consuming func takeWriteEnd() -> OwnedDescriptor { writeEnd }
}
