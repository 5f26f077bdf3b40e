import Linux
import MeshModel
import Synchronization
import XDS

/// Why a kept state is not used, or not kept.
enum DiscoveryStoreError: Error, Equatable {
  case file(LinuxError)
  case content(path: String, SnapshotError)
}

extension DiscoveryStoreError: CustomStringConvertible {
  var description: String {
    switch self {
    case .file(let error): "\(error)"
    case .content(let path, let error): "\(path) \(error)"
    }
  }
}

/// Where the last good state of the control plane outlives this process.
///
///     discovery           the state, as `DiscoveryClient.snapshot` writes it
///     discovery-contact   seconds since 1970 of the last contact, a space, the address it was with
///
/// Each is put in place whole: a reader sees the old or the new.
struct DiscoveryStore: Sendable {
  let path: String
  let contactPath: String
  /// Of the control plane of now.
  let address: String
  private let order = WriteOrder()

  init(path: String, contactPath: String, address: String) {
    self.path = path
    self.contactPath = contactPath
    self.address = address
  }

  /// The state that was written last; held while one is written.
  private final class WriteOrder: Sendable {
    let last = Mutex<UInt64>(0)
  }

  struct Kept: Sendable {
    var client: DiscoveryClient
    /// When the control plane was heard last, as far as is known.
    var lastContact: WallTime?
    /// Whether it is of another control plane: the versions mean nothing to the one of now.
    var isOfOther: Bool
  }

  /// What is there for this node; nil when there is nothing.
  func read(for node: NodeDescription) async throws(DiscoveryStoreError) -> Kept? {
    guard File.exists(path) else { return nil }
    let contact = try contact()
    let path = path
    let outcome = try await onThread { () throws(DiscoveryStoreError) in
      let bytes: [UInt8]
      do throws(LinuxError) {
        bytes = try File.read(path, atMost: Limit.discoveryFileBytes)
      } catch {
        throw .file(error)
      }
      do throws(SnapshotError) {
        return try DiscoveryClient(node: node, restoring: bytes)
      } catch {
        throw .content(path: path, error)
      }
    }
    return Kept(
      client: outcome, lastContact: contact?.time,
      isOfOther: contact.map { $0.address != address } ?? false)
  }

  /// Keeps a state, unless a newer one is kept: threads do not end in the order they begin.
  ///
  /// - number: counts the states, the first being 1.
  func write(_ client: DiscoveryClient, number: UInt64) async throws(DiscoveryStoreError) {
    let (path, order) = (path, order)
    try await onThread { () throws(DiscoveryStoreError) in
      try order.last.withLock { last throws(DiscoveryStoreError) in
        guard number > last else { return }
        do throws(LinuxError) {
          try File.replace(path, with: client.snapshot())
        } catch {
          throw .file(error)
        }
        last = number
      }
    }
  }

  func write(contact: WallTime) throws(DiscoveryStoreError) {
    do throws(LinuxError) {
      try File.replace(
        contactPath, with: Array("\(contact.secondsSinceEpoch) \(address)".utf8))
    } catch {
      throw .file(error)
    }
  }

  private func contact() throws(DiscoveryStoreError) -> (time: WallTime, address: String)? {
    guard File.exists(contactPath) else { return nil }
    let text: String
    do throws(LinuxError) {
      text = try File.readText(contactPath, atMost: 4_096)
    } catch {
      throw .file(error)
    }
    let parts = text.split(separator: " ", maxSplits: 1)
    guard parts.count == 2, let seconds = Double(parts[0]), seconds.isFinite else { return nil }
    return (WallTime(secondsSinceEpoch: seconds), String(parts[1]))
  }

  /// Reading and writing tens of megabytes keeps no task waiting for its turn.
  private func onThread<Value: Sendable>(
    _ work: @escaping @Sendable () throws(DiscoveryStoreError) -> Value
  ) async throws(DiscoveryStoreError) -> Value {
    let outcome: Result<Value, DiscoveryStoreError>
    do throws(LinuxError) {
      outcome = try await onOwnThread("discovery-store") { Result(catching: work) }
    } catch {
      throw .file(error)
    }
    return try outcome.get()
  }
}
