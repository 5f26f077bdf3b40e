import Glibc
import Linux
import Manifests
import MeshCompiler
import MeshModel
import Testing

/// What a watch tells, put together to what is there each time.
private actor Snapshots {
  private var waiting: [ManifestSnapshot] = []
  private var objects: [String: [ManifestObject]] = [:]
  /// The files of each update that were told of as changed, and as gone.
  private(set) var told: [(changed: Set<String>, removed: [String])] = []

  func add(_ update: ManifestUpdate) {
    objects.merge(update.changed) { _, new in new }
    for file in update.removed { objects[file] = nil }
    told.append((Set(update.changed.keys), update.removed))
    waiting.append(
      ManifestSnapshot(
        objects: update.files.flatMap { objects[$0] ?? [] }, diagnostics: update.diagnostics,
        files: update.files))
  }

  /// The next one; the suite's time limit bounds the wait.
  func take() async throws -> ManifestSnapshot {
    while waiting.isEmpty { try await Task.sleep(for: .milliseconds(5)) }
    return waiting.removeFirst()
  }
}

/// Runs `body` beside a watch of the directory.
private func watching(
  _ path: String, _ body: (Snapshots) async throws -> Void
) async throws {
  let snapshots = Snapshots()
  let watch = Task {
    try await ManifestDirectory(path: path).watch { await snapshots.add($0) }
  }
  do {
    try await body(snapshots)
  } catch {
    watch.cancel()
    throw error
  }
  watch.cancel()
  let end = await watch.result
  #expect(throws: CancellationError.self) { try end.get() }
}

@Suite(.timeLimit(.minutes(1))) struct `A watched directory yields whole changes only` {
  @Test func `files written one after another arrive together`() async throws {
    let scratch = try Scratch()
    try scratch.write("0.yaml", account("first"))
    try await watching(scratch.path) { snapshots in
      #expect(try await snapshots.take().names == ["first"])
      // Rests on the thread: a task may wait its turn for longer than a change may pause.
      let poller = try Poller()
      var events: [PollEvent] = []
      for number in 0..<10 {
        try scratch.write("\(number).yaml", account("n\(number)"))
        try poller.wait(timeout: .milliseconds(10), into: &events)
      }
      let snapshot = try await snapshots.take()
      #expect(snapshot.names == (0..<10).map { "n\($0)" })
      #expect(snapshot.findings == [])
    }
  }

  @Test func `a file that is written in place in two parts arrives whole`() async throws {
    let scratch = try Scratch()
    try scratch.write("a.yaml", account("a"))
    try await watching(scratch.path) { snapshots in
      _ = try await snapshots.take()
      try File.write("\(scratch.path)/a.yaml", "apiVersion: v1\nkind: Ser")
      try await Task.sleep(for: .milliseconds(20))
      try File.write("\(scratch.path)/a.yaml", account("b"))
      let snapshot = try await snapshots.take()
      #expect(snapshot.names == ["b"])
      #expect(snapshot.findings == [])
    }
  }

  @Test func `new directories are watched, removed files are gone`() async throws {
    let scratch = try Scratch()
    try scratch.write("a.yaml", account("a"))
    try await watching(scratch.path) { snapshots in
      _ = try await snapshots.take()
      try scratch.write("x/y/b.yaml", account("b"))
      #expect(try await snapshots.take().names == ["a", "b"])
      try scratch.write("x/y/b.yaml", account("c"))
      #expect(try await snapshots.take().names == ["a", "c"])
      try File.remove("\(scratch.path)/a.yaml")
      #expect(try await snapshots.take().names == ["c"])
    }
  }

  @Test func `only files that changed are told anew, what is wrong with others stays said`()
    async throws
  {
    let scratch = try Scratch()
    try scratch.write("a.yaml", account("a"))
    try scratch.write("b.yaml", account("b") + "---\nx: [\n")
    try scratch.write("c.yaml", account("c"))
    try await watching(scratch.path) { snapshots in
      let first = try await snapshots.take()
      #expect(first.names == ["a", "b", "c"])
      try scratch.write("a.yaml", account("a2"))
      try File.remove("\(scratch.path)/c.yaml")
      var last = try await snapshots.take()
      while last.names.contains("c") { last = try await snapshots.take() }
      #expect(last.names == ["a2", "b"])
      #expect(first.findings.count == 1)
      #expect(last.findings == first.findings)
      let told = await snapshots.told
      #expect(told[0].changed == ["a.yaml", "b.yaml", "c.yaml"])
      #expect(told[1...].flatMap(\.changed) == ["a.yaml"])
      #expect(told.flatMap(\.removed) == ["c.yaml"])
    }
  }

  @Test func `a mounted ConfigMap changes in one step`() async throws {
    let scratch = try Scratch()
    for version in ["1", "2"] {
      try scratch.write("..v\(version)/a.yaml", account("a\(version)"))
      try scratch.write("..v\(version)/b.yaml", account("b\(version)"))
    }
    try link("..v1", at: "\(scratch.path)/..data")
    try link("..data/a.yaml", at: "\(scratch.path)/a.yaml")
    try link("..data/b.yaml", at: "\(scratch.path)/b.yaml")
    try await watching(scratch.path) { snapshots in
      #expect(try await snapshots.take().names == ["a1", "b1"])
      try link("..v2", at: "\(scratch.path)/..data")
      #expect(try await snapshots.take().names == ["a2", "b2"])
    }
  }

  @Test func `the directory may be a link that is swapped`() async throws {
    let scratch = try Scratch()
    try scratch.write("one/a.yaml", account("one"))
    try scratch.write("two/a.yaml", account("two"))
    try link("one", at: "\(scratch.path)/current")
    try await watching("\(scratch.path)/current") { snapshots in
      #expect(try await snapshots.take().names == ["one"])
      try link("two", at: "\(scratch.path)/current")
      #expect(try await snapshots.take().names == ["two"])
      try scratch.write("two/a.yaml", account("three"))
      #expect(try await snapshots.take().names == ["three"])
    }
  }

  @Test func `a directory that goes away is an error until it is back`() async throws {
    let scratch = try Scratch()
    try scratch.write("in/a.yaml", account("a"))
    try await watching("\(scratch.path)/in") { snapshots in
      #expect(try await snapshots.take().names == ["a"])
      #expect(unsafe rename("\(scratch.path)/in", "\(scratch.path)/out") == 0)
      #expect(try await snapshots.take().diagnostics.map(\.code) == [.unreadable])
      #expect(unsafe rename("\(scratch.path)/out", "\(scratch.path)/in") == 0)
      #expect(try await snapshots.take().names == ["a"])
      try scratch.write("in/a.yaml", account("b"))
      #expect(try await snapshots.take().names == ["b"])
      try Scratch.removeAll("\(scratch.path)/in")
      #expect(try await snapshots.take().findings.count == 1)
      try scratch.write("in/c.yaml", account("c"))
      #expect(try await snapshots.take().names == ["c"])
    }
  }

  @Test func `a directory that is not there yet is waited for`() async throws {
    let scratch = try Scratch()
    try await watching("\(scratch.path)/in") { snapshots in
      #expect(try await snapshots.take().diagnostics.map(\.code) == [.unreadable])
      try scratch.write("in/a.yaml", account("a"))
      #expect(try await snapshots.take().names == ["a"])
    }
  }

  @Test func `what leaves every byte as it was is no change`() async throws {
    let scratch = try Scratch()
    try scratch.write("a.yaml", account("a"))
    try await watching(scratch.path) { snapshots in
      _ = try await snapshots.take()
      try scratch.write("a.yaml", account("a"))
      try scratch.write("notes.txt", "nothing")
      try await Task.sleep(for: .milliseconds(300))
      try scratch.write("a.yaml", account("b"))
      #expect(try await snapshots.take().names == ["b"])
    }
  }

  @Test func `a directory that never rests is taken as it is`() async throws {
    let scratch = try Scratch()
    try scratch.write("a.yaml", account("a"))
    try await watching(scratch.path) { snapshots in
      _ = try await snapshots.take()
      let start = MonotonicClock.now()
      let writer = Task {
        var number = 0
        while !Task.isCancelled {
          number += 1
          try scratch.write("b.yaml", account("b\(number)"))
          try await Task.sleep(for: .milliseconds(5))
        }
      }
      #expect(try await snapshots.take().names.first == "a")
      #expect(MonotonicClock.now().since(start) < .seconds(30))
      writer.cancel()
      _ = await writer.result
    }
  }
}
