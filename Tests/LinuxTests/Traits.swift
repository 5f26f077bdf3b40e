import Glibc
import Linux
import Testing

/// Traps when each run of `body` ends with more descriptors open than it began with.
///
/// Call it in a process of its own: other tests open descriptors at the same time. Sixteen runs, since
/// the test runner itself opens a few meanwhile.
func keepsDescriptorCount(_ body: () throws -> Void) throws {
  let before = try CurrentProcess.openDescriptorCount()
  for _ in 0..<16 { try body() }
  let after = try CurrentProcess.openDescriptorCount()
  precondition(after - before < 8, "opened \(after - before) descriptors in 16 runs and kept them")
}

/// A namespace of the test's own, with loopback up.
func makeNamespace() throws -> NetworkNamespace {
  let namespace = try NetworkNamespace.make()
  try Netlink(in: namespace).setUp(linkIndex: Link.loopbackIndex)
  return namespace
}

/// Waits until `number` is ready for `interest`, for five seconds at most.
@discardableResult
func waitUntil(_ number: CInt, is interest: Readiness) throws -> Readiness {
  let poller = try Poller()
  try poller.add(number, token: 1, interest)
  var events: [PollEvent] = []
  for _ in 0..<50 {
    try poller.wait(timeout: .milliseconds(100), into: &events)
    if let event = events.first { return event.readiness }
  }
  Issue.record("descriptor \(number) was not \(interest) within five seconds")
  return []
}

extension Span<UInt8> {
  var array: [UInt8] { indices.map { self[$0] } }
}

extension [UInt8] {
  init(_ text: String) { self = Array(text.utf8) }
}

/// A directory of the test's own under /tmp.
func makeDirectory() throws -> String {
  let path = "/tmp/skein-linux-\(getpid())-\(Random.uint64())"
  try Directory.make(path)
  return path
}

/// Ends an exit test's process unless the claim holds.
func demand(_ isTrue: Bool, _ message: String = "", line: UInt = #line) {
  precondition(isTrue, "line \(line): \(message)")
}
