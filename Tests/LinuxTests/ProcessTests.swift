import Glibc
@testable import Linux
import Testing
import TestSupport

/// A control group of the test's own, removed when the body ends.
private func withControlGroup(_ body: (ControlGroup) throws -> Void) throws {
  let group = try ControlGroup.root().make("skein-linux-tests-\(Random.uint64())")
  try body(group)
  // A dying process leaves its group a moment after its parent has seen it end.
  for _ in 0..<200 where try group.remove() == .busy { usleep(10_000) }
  #expect(try group.remove() == .absent)
}

/// Everything written until the last writer is gone.
private func readAll(_ end: borrowing OwnedDescriptor) throws -> String {
  var bytes: [UInt8] = []
  var room = [UInt8](repeating: 0, count: 4_096)
  while true {
    try waitUntil(end.number, is: .readable)
    let count = unsafe read(end.number, &room, room.count)
    if count <= 0 { return String(decoding: bytes, as: UTF8.self) }
    bytes += room[..<count]
  }
}

/// Runs a script of bash, which knows numbers of several digits, and gives what it wrote.
private func run(
  _ script: String, environment: [String] = [], in group: ControlGroup? = nil,
  descriptors: [CInt: CInt] = [:]
) throws -> (text: String, status: ProcessOutcome) {
  let pipe = try Pipe()
  let child = try ChildProcess(
    path: "/bin/bash", arguments: ["-c", script], environment: environment, controlGroup: group,
    standardOutput: pipe.writeEnd.number, descriptors: descriptors
  ).spawn()
  let end = pipe.takeReadEnd()
  let text = try readAll(end)
  return (text, try child.wait())
}

@Suite struct `A child process` {
  @Test func `gets its arguments and environment, and nothing else`() throws {
    let (text, status) = try run("echo \"$0 $A $HOME\"; exit 3", environment: ["A=b c"])
    #expect(text == "/bin/bash b c \n")
    #expect(status == .exited(code: 3))
  }

  @Test func `reads nothing and keeps no descriptor of ours`() throws {
    let pipe = try Pipe()
    _ = try pipe.readEnd.duplicate()
    let (text, _) = try run("cat; ls /proc/self/fd | tr '\\n' ' '")
    // The last one is ls's own.
    #expect(text == "0 1 2 3 ")
  }

  @Test func `finds given descriptors at their numbers, crossed ones too`() async {
    await #expect(processExitsWith: .success) {
      let first = try Pipe()
      let second = try Pipe()
      let (a, b) = (first.writeEnd.number, second.writeEnd.number)
      let (_, status) = try run(
        "echo one >&\(a); echo two >&\(b); echo three >&200", descriptors: [a: b, b: a, 200: a])
      demand(status == .exited(code: 0), "\(status)")
      let firstEnd = first.takeReadEnd()
      let secondEnd = second.takeReadEnd()
      try demand(readAll(firstEnd) == "two\nthree\n" && readAll(secondEnd) == "one\n")
    }
  }

  @Test func `starts with no signal blocked or ignored, in a session of its own`() async {
    await #expect(processExitsWith: .success) {
      try CurrentProcess.ignoreBrokenPipe()
      let signals = try SignalDescriptor([.terminate])
      let (text, _) = try run(
        "grep -E 'Sig(Blk|Ign)' /proc/self/status; ps -o sess= -p $$; echo $$")
      let words = text.split(whereSeparator: \.isWhitespace)
      demand(words[1] == "0000000000000000" && words[3] == "0000000000000000", text)
      demand(words[4] == words[5], text)
      try demand(signals.next() == nil)
    }
  }

  @Test func `that cannot start says why`() throws {
    #expect(throws: LinuxError(call: "execve", errno: ENOENT, subject: "/nowhere")) {
      _ = try ChildProcess(path: "/nowhere").spawn()
    }
    #expect(throws: LinuxError(call: "execve", errno: EACCES, subject: "/etc/passwd")) {
      _ = try ChildProcess(path: "/etc/passwd").spawn()
    }
  }

  @Test func `is signalled and waited for by its handle`() throws {
    let child = try ChildProcess(path: "/bin/sleep", arguments: ["60"]).spawn()
    #expect(try child.exitStatus() == nil)
    #expect(try child.send(.terminate))
    try waitUntil(child.number, is: .readable)
    #expect(try child.exitStatus() == .signalled(.terminate))
    #expect(try !child.send(.kill))
    let handle = try ProcessHandle.open(processID: child.processID)
    let isGone = handle == nil
    #expect(isGone)
  }

  @Test func `of someone else can be watched, not waited for`() throws {
    guard let other = try ProcessHandle.open(processID: 1) else {
      Issue.record("there is no first process")
      return
    }
    #expect(throws: LinuxError(call: "waitid", errno: ECHILD, subject: "1")) {
      _ = try other.exitStatus()
    }
  }

  @Test func `leaves no descriptor behind, whether it starts or not`() async {
    await #expect(processExitsWith: .success) {
      try keepsDescriptorCount {
        _ = try ChildProcess(path: "/bin/true").spawn().wait()
        do {
          _ = try ChildProcess(path: "/nowhere").spawn()
        } catch {
          demand((error as? LinuxError)?.isNotFound == true)
        }
      }
    }
  }
}

@Suite struct `A control group` {
  @Test func `hierarchy is found wherever it is mounted`() {
    let beside = """
      tmpfs /sys/fs/cgroup tmpfs rw 0 0
      cgroup /sys/fs/cgroup/cpu cgroup rw,cpu 0 0
      cgroup2 /sys/fs/cgroup/unified cgroup2 rw 0 0
      """
    #expect(ControlGroup.mountPoint(in: beside) == "/sys/fs/cgroup/unified")
    let alone = "cgroup2 /sys/fs/cgroup cgroup2 rw,nsdelegate 0 0\n"
    #expect(ControlGroup.mountPoint(in: alone) == "/sys/fs/cgroup")
    #expect(ControlGroup.mountPoint(in: "tmpfs / tmpfs rw 0 0\n\n") == nil)
  }

  @Test(.needsRoot) func `is made once, has an id, and is removed once`() throws {
    let root = try ControlGroup.root()
    let name = "skein-linux-tests-\(Random.uint64())"
    #expect(try root.child(name) == nil)
    let group = try root.make(name)
    #expect(try root.make(name) == group)
    #expect(try root.child(name) == group)
    #expect(group.id != 0 && group.id != root.id)
    #expect(try group.processes().isEmpty)
    #expect(try group.remove() == .removed)
    #expect(try group.remove() == .absent)
  }

  @Test(.needsRoot) func `is what a child is born into`() throws {
    try withControlGroup { group in
      let name = try #require(group.path.split(separator: "/").last)
      let (text, _) = try run("grep ^0:: /proc/self/cgroup", in: group)
      #expect(text == "0::/\(name)\n")
    }
  }

  @Test(.needsRoot) func `knows its processes, and ends them all at once`() throws {
    try withControlGroup { group in
      let born = try ChildProcess(
        path: "/bin/sleep", arguments: ["60"], controlGroup: group
      ).spawn()
      let moved = try ChildProcess(path: "/bin/sleep", arguments: ["60"]).spawn()
      try group.add(processID: moved.processID)
      #expect(try Set(group.processes()) == [born.processID, moved.processID])
      #expect(try ControlGroup.ofProcess(moved.processID) == group)
      #expect(try group.remove() == .busy)
      try group.kill()
      #expect(try born.wait() == .signalled(.kill))
      #expect(try moved.wait() == .signalled(.kill))
    }
  }

  @Test(.needsRoot) func `takes new processes after all of it were killed`() throws {
    try withControlGroup { group in
      try group.kill()
      let (text, outcome) = try run("echo born", in: group)
      #expect(text == "born\n" && outcome == .exited(code: 0))
    }
  }
}

@Suite struct `This process` {
  @Test func `knows what it uses`() throws {
    #expect(try CurrentProcess.residentBytes() > 1 << 20)
    #expect(try CurrentProcess.openDescriptorCount() >= 3)
    #expect(CurrentProcess.processorCount >= 1)
  }

  @Test func `may open as many descriptors as it is allowed to`() async {
    await #expect(processExitsWith: .success) {
      let limit = try CurrentProcess.raiseDescriptorLimit()
      let (text, _) = try run("ulimit -Sn")
      demand(text == "\(limit)\n", text)
    }
  }
}

@Suite struct `A process's directory` {
  @Test func `shows its name, its control groups and its network namespace`() throws {
    let own = try ProcessDirectory(processID: getpid())
    #expect(try own.name() + "\n" == File.readText("/proc/\(getpid())/comm"))
    #expect(try own.controlGroups() == File.readText("/proc/\(getpid())/cgroup"))
    let namespace = try own.networkNamespace()
    let current = try NetworkNamespace.open(processID: getpid())
    #expect(try namespace.inode() == current.inode())
  }

  @Test func `shows nothing once it has ended, whoever has its number then`() throws {
    let child = try ChildProcess(path: "/bin/sleep", arguments: ["60"], environment: []).spawn()
    let directory = try ProcessDirectory(processID: child.processID)
    _ = try directory.controlGroups()
    try child.send(.kill)
    _ = try child.wait()
    #expect(throws: LinuxError.self) { try directory.controlGroups() }
    #expect(throws: LinuxError.self) { _ = try directory.networkNamespace().inode() }
    #expect(throws: LinuxError.self) { _ = try ProcessDirectory(processID: child.processID) }
  }
}
