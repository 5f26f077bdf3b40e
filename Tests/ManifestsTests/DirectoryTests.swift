import Glibc
import Linux
import Manifests
import MeshCompiler
import Testing

@Suite struct `A directory becomes one snapshot` {
  @Test func `nested files of three kinds are read in order, the rest is left`() throws {
    let scratch = try Scratch()
    try scratch.write("b.yaml", account("b1") + "---\n" + account("b2"))
    try scratch.write("a/deep/a.yml", account("a"))
    try scratch.write("c.json", "{\"apiVersion\": \"v1\", \"metadata\": {\"name\": \"c\"}}")
    for name in [
      "notes.txt", ".hidden.yaml", ".git/x.yaml", "b.yaml~", ".b.yaml.swp", "#b.yaml#", "~b.yaml",
      "b.yaml.tmp", "4913", ".yaml",
    ] {
      try scratch.write(name, "not: [yaml")
    }
    let snapshot = scratch.read()
    #expect(snapshot.findings == [])
    #expect(snapshot.files == ["a/deep/a.yml", "b.yaml", "c.json"])
    #expect(snapshot.names == ["a", "b1", "b2", "c"])
    #expect(snapshot.objects.map(\.document) == [1, 1, 2, 1])
  }

  @Test func `what is wrong with one file is said with its name, the others are read`() throws {
    let scratch = try Scratch()
    try scratch.write("a.yaml", account("a"))
    try scratch.write("shop/b.yaml", account("b") + "---\nx: [\n")
    let snapshot = scratch.read()
    #expect(snapshot.names == ["a", "b"])
    #expect(
      snapshot.findings == [
        "shop/b.yaml:6: error: document 2: not YAML: did not find expected node content "
          + "(while parsing a flow node from line 6)"
      ])
    #expect(snapshot.compiled().hasErrors)
  }

  @Test func `an empty directory is an empty mesh`() throws {
    let compilation = try Scratch().read().compiled()
    #expect(compilation == Compilation())
  }

  @Test func `a directory that is not there is an error`() {
    let snapshot = ManifestDirectory(path: "/nonexistent/manifests").read()
    #expect(snapshot.diagnostics.map(\.code) == [.unreadable])
    #expect(snapshot.compiled().hasErrors)
  }

  @Test func `a link that leads nowhere is an error, a link to a file is the file`() throws {
    let scratch = try Scratch()
    try scratch.write("target", account("linked"))
    try link("target", at: "\(scratch.path)/a.yaml")
    try link("nowhere", at: "\(scratch.path)/b.yaml")
    let snapshot = scratch.read()
    #expect(snapshot.names == ["linked"])
    #expect(snapshot.diagnostics.map(\.file) == ["b.yaml"])
  }

  @Test(.timeLimit(.minutes(1))) func `a named pipe is not waited for`() throws {
    let scratch = try Scratch()
    #expect(unsafe mkfifo("\(scratch.path)/a.yaml", 0o600) == 0)
    try scratch.write("b.yaml", account("b"))
    #expect(scratch.read().names == ["b"])
  }

  struct Bound: CustomTestStringConvertible {
    var says: String
    var change: @Sendable (inout ManifestLimits) -> Void
    var message: String
    var testDescription: String { says }
  }

  @Test(arguments: [
    Bound(
      says: "bytes of a file", change: { $0.fileBytes = 50 },
      message: "read b.yaml: File too large"),
    Bound(
      says: "bytes in all", change: { $0.totalBytes = 100 },
      message: "expected at most 100 bytes in all files together"),
    Bound(says: "files", change: { $0.files = 1 }, message: "expected at most 1 files"),
    Bound(
      says: "directories", change: { $0.directories = 1 },
      message: "expected at most 1 directories, 16 inside one another; is a link leading back?"),
    Bound(
      says: "directories inside one another", change: { $0.directoryDepth = 0 },
      message: "expected at most 4096 directories, 0 inside one another; is a link leading back?"),
  ])
  func `too many`(row: Bound) throws {
    let scratch = try Scratch()
    try scratch.write("b.yaml", account("b") + "# padding that makes it longer")
    try scratch.write("c.yaml", account("c"))
    try scratch.write("d/e.yaml", account("e"))
    var limits = ManifestLimits()
    row.change(&limits)
    let snapshot = scratch.read(limits: limits)
    let messages = snapshot.diagnostics.map { diagnostic in
      let parts = diagnostic.message.split(separator: "\(scratch.path)/")
      return parts.joined()
    }
    #expect(messages.contains { $0.contains(row.message) }, "\(messages)")
    #expect(snapshot.diagnostics.allSatisfy { $0.severity == .error })
  }

  @Test func `links that lead back end in an error`() throws {
    let scratch = try Scratch()
    try scratch.write("a/x.yaml", account("x"))
    try link("..", at: "\(scratch.path)/a/loop")
    try link("..", at: "\(scratch.path)/a/more")
    let snapshot = scratch.read()
    #expect(snapshot.diagnostics.last?.code == .tooLarge)
  }
}
