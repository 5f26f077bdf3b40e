import Glibc
@testable import Linux
import Testing
import TestSupport

@Suite struct `A file` {
  @Test func `is replaced whole and read whole`() throws {
    let directory = try makeDirectory()
    let path = "\(directory)/file"
    let bytes = (0..<100_000).map { UInt8(truncatingIfNeeded: $0) }
    try File.replace(path, with: bytes, mode: 0o640)
    try File.replace(path, with: bytes)
    try File.replace("\(directory)/other", with: [])
    try File.rename(path, to: "\(directory)/other")
    try File.rename("\(directory)/other", to: path)
    #expect(try File.read(path) == bytes)
    #expect(try Directory.entries(directory) == ["file"])
    let error = #expect(throws: LinuxError.self) { try File.read(path, atMost: 99_999) }
    #expect(error?.errno == EFBIG)
    #expect(try File.remove(path))
    #expect(try !File.remove(path))
    #expect(!File.exists(path))
    try Directory.remove(directory)
  }

  @Test func `of the kernel is read although it has no size`() throws {
    #expect(try File.readText("/proc/self/stat").hasPrefix("\(getpid()) "))
  }

  @Test func `lock is held by one at a time`() throws {
    let directory = try makeDirectory()
    do {
      let first = try File.lock("\(directory)/lock")
      let second = try File.lock("\(directory)/lock")
      let (isHeld, isRefused) = (first != nil, second == nil)
      #expect(isHeld && isRefused)
    }
    let again = try File.lock("\(directory)/lock") != nil
    #expect(again)
    try File.remove("\(directory)/lock")
    try Directory.remove(directory)
  }

  @Test func `directories are made with those above them`() throws {
    let directory = try makeDirectory()
    try Directory.makeAll("\(directory)/a/b/c")
    try Directory.makeAll("\(directory)/a/b/c")
    #expect(Directory.exists("\(directory)/a/b/c"))
    for path in ["a/b/c", "a/b", "a"] { #expect(try Directory.remove("\(directory)/\(path)")) }
    #expect(try Directory.remove(directory))
    #expect(try !Directory.remove(directory))
  }
}

@Suite(.needsRoot) struct `A kernel setting` {
  @Test func `belongs to the network namespace it is written in`() throws {
    let name = "net/ipv4/conf/lo/accept_local"
    let before = try Sysctl.read(name)
    let namespace = try makeNamespace()
    let inside = try namespace.run { () throws(LinuxError) in
      let first = try Sysctl.read(name)
      try Sysctl.write(name, "1")
      return [first, try Sysctl.read(name)]
    }
    #expect(inside == ["0", "1"])
    #expect(try Sysctl.read(name) == before)
  }

  @Test func `that the kernel does not have is a value`() throws {
    #expect(try Sysctl.read("net/ipv4/no_such_setting") == nil)
    #expect(try !Sysctl.write("net/ipv4/no_such_setting", "1"))
  }

  @Test func `says whether the namespace has IPv6`() throws {
    let namespace = try makeNamespace()
    let answers = try namespace.run { () throws(LinuxError) in
      let before = try Sysctl.hasIPv6()
      try Sysctl.write("net/ipv6/conf/lo/disable_ipv6", "1")
      return [before, try Sysctl.hasIPv6()]
    }
    #expect(answers == [true, false])
  }
}

@Suite(.needsRoot) struct `The BPF file system` {
  @Test func `is recognised, and mounted once`() throws {
    #expect(try !BPFFileSystem.isMounted(at: "/tmp"))
    #expect(try !BPFFileSystem.isMounted(at: "/nowhere"))
    let directory = try makeDirectory()
    #expect(try BPFFileSystem.mount(at: directory))
    #expect(try BPFFileSystem.isMounted(at: directory))
    #expect(try !BPFFileSystem.mount(at: directory))
    #expect(unmount(directory) == 0)
    try Directory.remove(directory)
  }
}

@Suite struct `A watched tree` {
  @Test func `tells of changes at any depth, also in directories made later`() throws {
    let root = try makeDirectory()
    try Directory.make("\(root)/a")
    let watch = try TreeWatch(root: root)
    func hasChanged() throws -> Bool { try watch.drain() }
    #expect(try !hasChanged())

    try File.replace("\(root)/a/file", with: [1])
    try waitUntil(watch.number, is: .readable)
    #expect(try hasChanged())
    #expect(try !hasChanged())

    try Directory.makeAll("\(root)/b/c")
    #expect(try hasChanged())
    try File.replace("\(root)/b/c/file", with: [1])
    #expect(try hasChanged())

    try File.remove("\(root)/b/c/file")
    #expect(try hasChanged())
    try File.remove("\(root)/a/file")
    for path in ["b/c", "b", "a"] { try Directory.remove("\(root)/\(path)") }
    #expect(try hasChanged())
    try Directory.remove(root)
  }

  @Test func `sees a mounted ConfigMap's flip and ends in a loop of links`() throws {
    let root = try makeDirectory()
    try Directory.make("\(root)/..one")
    try Directory.make("\(root)/..two")
    #expect(unsafe symlink("..one", "\(root)/..data") == 0)
    #expect(unsafe symlink(".", "\(root)/loop") == 0)
    let watch = try TreeWatch(root: root)
    let quiet = try watch.drain()
    #expect(!quiet)
    #expect(unsafe symlink("..two", "\(root)/..new") == 0)
    #expect(unsafe rename("\(root)/..new", "\(root)/..data") == 0)
    let flipped = try watch.drain()
    #expect(flipped)
    for name in ["..data", "loop"] { try File.remove("\(root)/\(name)") }
    for name in ["..one", "..two"] { try Directory.remove("\(root)/\(name)") }
    try Directory.remove(root)
  }

  @Test func `that is not there is an error`() {
    let error = #expect(throws: LinuxError.self) { _ = try TreeWatch(root: "/nowhere") }
    #expect(error?.isNotFound == true && error?.subject == "/nowhere")
  }
}
