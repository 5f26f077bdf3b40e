import FoundationEssentials
import Testing

@testable import NodeAgent

/// A directory that is gone after the body.
private func withDirectory(mode: Int, owner: Int, _ body: (String) throws -> Void) throws {
  let files = FileManager.default
  let path = "/tmp/skein-directory-\(UInt64.random(in: 0...UInt64.max))"
  try files.createDirectory(atPath: path, withIntermediateDirectories: false)
  defer {
    #expect(throws: Never.self) { try files.removeItem(atPath: path) }
  }
  try files.setAttributes([.posixPermissions: mode, .ownerAccountID: owner], ofItemAtPath: path)
  try body(path)
}

@Suite struct `A directory of keys or sockets` {
  @Test func `is taken when it is root's alone`() throws {
    try withDirectory(mode: 0o755, owner: 0) { path in
      #expect(throws: Never.self) { try requireUnshared(path, owner: 0) }
    }
  }

  @Test func `is refused when somebody else made it, also behind a link`() throws {
    try withDirectory(mode: 0o700, owner: 12_345) { path in
      let refusal = RunError.directoryOfOthers(path, reason: "belongs to user 12345")
      #expect(throws: refusal) { try requireUnshared(path, owner: 0, forbidding: 0) }
      let link = path + "-link"
      try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: path)
      defer {
        #expect(throws: Never.self) { try FileManager.default.removeItem(atPath: link) }
      }
      #expect(throws: RunError.directoryOfOthers(link, reason: "belongs to user 12345")) {
        try requireUnshared(link, owner: 0)
      }
    }
  }

  @Test(arguments: [0o777, 0o770, 0o1777]) func `is refused when others may write to it`(
    mode: Int
  ) throws {
    try withDirectory(mode: mode, owner: 0) { path in
      let reason = "is open to others (mode \(String(mode, radix: 8)))"
      #expect(throws: RunError.directoryOfOthers(path, reason: reason)) {
        try requireUnshared(path, owner: 0)
      }
      #expect(throws: Never.self) { try requireUnshared(path, owner: 0, forbidding: 0) }
    }
  }

  @Test func `is not closed when it is in use for other things`() throws {
    try withDirectory(mode: 0o755, owner: 0) { path in
      #expect(throws: RunError.directoryOfOthers(path, reason: "is open to others (mode 755)")) {
        try requireUnshared(path, owner: 0, forbidding: 0o077)
      }
    }
  }
}
