import Identity
import MeshModel
import Testing

@testable import TLS

/// A pair that has moved 100 kB each way and rests.
private func idlePair(_ alice: Credentials, _ bob: Credentials) throws -> Pair {
  let pair = try Pair(client: alice, expecting: [Name.bob], server: bob)
  pair.connect()
  let bytes = [UInt8](repeating: 1, count: 100_000)
  guard pair.client.write(bytes) == .written(bytes.count) else { throw NotIdle() }
  pair.carryAll(pair.client, to: pair.server)
  while case .bytes = pair.server.read() { _ = pair.server.takePlaintext() }
  guard pair.server.write(bytes) == .written(bytes.count) else { throw NotIdle() }
  pair.carryAll(pair.server, to: pair.client)
  while case .bytes = pair.client.read() { _ = pair.client.takePlaintext() }
  pair.client.releaseBuffers()
  pair.server.releaseBuffers()
  return pair
}

private struct NotIdle: Error {}

/// Each runs in a process of its own: the heap belongs to everybody.
@Suite struct `Sessions give their memory back` {
  @Test func `an idle session costs less than 40 KB`() async {
    await #expect(processExitsWith: .success) {
      CountingHeap.install()
      let authority = try TestAuthority(named: "root")
      let alice = try authority.credentials(Name.alice)
      let bob = try authority.credentials(Name.bob)
      for _ in 0..<20 { _ = try idlePair(alice, bob) }
      let before = CountingHeap.bytesInUse
      let residentBefore = residentBytes()
      let pairs = try (0..<1_000).map { _ in try idlePair(alice, bob) }
      let sessions = 2 * pairs.count
      let each = (CountingHeap.bytesInUse - before) / sessions
      let resident = (residentBytes() - residentBefore) / sessions
      print("bytes per idle session: \(each) in OpenSSL, \(resident) resident")
      precondition(each < 40_000, "an idle session costs \(each) bytes")
    }
  }

  @Test func `nothing is left of a thousand sessions`() async {
    await #expect(processExitsWith: .success) {
      CountingHeap.install()
      let authority = try TestAuthority(named: "root")
      let alice = try authority.credentials(Name.alice)
      let bob = try authority.credentials(Name.bob)
      let mallory = try authority.credentials(Name.mallory)
      func round() throws {
        _ = try idlePair(alice, bob)
        let refused = try Pair(client: alice, expecting: [Name.bob], server: mallory)
        refused.connect()
        let cut = try Pair(client: alice, expecting: [Name.bob], server: bob)
        cut.client.shake()
        cut.carryAll(cut.client, to: cut.server)
        cut.server.shake()
      }
      for _ in 0..<50 { try round() }
      let before = CountingHeap.bytesInUse
      for _ in 0..<350 { try round() }
      let left = CountingHeap.bytesInUse - before
      precondition(left < 20_000, "\(left) bytes are left")
    }
  }

  @Test func `nothing is left of a hundred rotations`() async {
    await #expect(processExitsWith: .success) {
      CountingHeap.install()
      let authority = try TestAuthority(named: "root")
      func round() throws {
        let alice = try authority.credentials(Name.alice)
        let bob = try authority.credentials(Name.bob)
        _ = try idlePair(alice, bob)
        let key = try PrivateKey()
        let leaf = try authority.leaf(for: publicKey(of: try PrivateKey()), .init(Name.bob))
        do throws(CredentialsError) {
          _ = try Credentials(key: key, chain: [leaf], roots: [leaf])
        } catch {
          precondition(error == .keyMismatch(id(Name.bob)), "\(error)")
        }
      }
      for _ in 0..<20 { try round() }
      let before = CountingHeap.bytesInUse
      for _ in 0..<100 { try round() }
      let left = CountingHeap.bytesInUse - before
      precondition(left < 20_000, "\(left) bytes are left")
    }
  }
}
