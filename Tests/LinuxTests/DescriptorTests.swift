import Glibc
@testable import Linux
import Testing

@Suite struct `Descriptors` {
  @Test func `that are negative are a bug and trap`() async {
    await #expect(processExitsWith: .failure) { _ = OwnedDescriptor(adopting: -1) }
  }

  @Test func `closed behind their owner's back are a bug and trap`() async {
    await #expect(processExitsWith: .failure) {
      // A number far above those in use: a low one may be given to another thread in between.
      let pipe = try Pipe()
      let number = fcntl(pipe.readEnd.number, F_DUPFD_CLOEXEC, 500)
      demand(number >= 500)
      let descriptor = OwnedDescriptor(adopting: number)
      close(number)
      _ = consume descriptor
    }
  }

  @Test func `are given back by a pipe that goes out of scope`() async {
    await #expect(processExitsWith: .success) {
      try keepsDescriptorCount { _ = try Pipe() }
    }
  }

  @Test func `stay open when released`() async {
    await #expect(processExitsWith: .failure) {
      try keepsDescriptorCount { _ = try Pipe().takeReadEnd().release() }
    }
  }

  @Test func `close once when one end of a pipe is kept`() async {
    await #expect(processExitsWith: .success) {
      try keepsDescriptorCount { _ = try Pipe().takeWriteEnd() }
    }
  }

  @Test func `in a list close with it, except those taken`() async {
    await #expect(processExitsWith: .success) {
      try keepsDescriptorCount {
        let pipe = try Pipe()
        var list = DescriptorList()
        try list.append(copying: pipe.readEnd)
        try list.append(copying: pipe.writeEnd)
        demand(list.count == 2)
        let taken = list.takeFirst()
        demand(list.count == 1 && taken != nil)
      }
    }
  }

  @Test func `nobody else may write to the heap's rest of a released buffer`() {
    var buffer = Buffer(capacity: 1 << 20)
    buffer.release()
    CurrentProcess.trimHeap()
    #expect(buffer.capacity == 0)
  }
}

@Suite struct `A failing call` {
  @Test func `names itself, its subject and the kernel's reason`() {
    let error = LinuxError(call: "open", errno: ENOENT, subject: "/nowhere")
    #expect(throws: error) { try File.read("/nowhere") }
    #expect(error.description == "open /nowhere: No such file or directory")
    #expect(error.isNotFound && !error.isPermission)
  }

  @Test func `that only a bug can cause traps`() async {
    await #expect(processExitsWith: .failure) { try check("close") { close(-1) } }
  }

  @Test func `is asked again when it was interrupted`() throws {
    var calls = 0
    let result = try check("read") { () -> CInt in
      calls += 1
      if calls < 3 {
        errno = EINTR
        return -1
      }
      return 5
    }
    #expect(result == 5 && calls == 3)
  }
}
