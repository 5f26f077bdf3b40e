internal import IstioAPI
internal import MeshModel
internal import SwiftProtobuf

/// All resources of one type, encoded once for every stream.
struct ResourceTable: Sendable {
  /// By reference, so that the next generation's table costs one word per resource.
  final class Entry: Sendable {
    let envelope: DiscoveryResource
    /// Of the envelope, roughly: content, name, version and aliases.
    let bytes: Int
    /// Where a workload runs; empty for anything else.
    let node: String
    /// The names of the services that a workload serves.
    let services: [String]
    let isService: Bool

    init(_ content: MeshResource) throws(Rejection) {
      let (envelope, count) = try content.enveloped()
      self.envelope = envelope
      // Type URL, tags and lengths: at most 100 bytes.
      let aliases = envelope.aliases.reduce(0) { $0 + $1.utf8.count + 2 }
      bytes = count + envelope.name.utf8.count + aliases + 100
      switch content {
      case .workload(let workload):
        node = workload.node
        services = workload.services.keys.map(\.description)
        isService = false
      case .service:
        node = ""
        services = []
        isService = true
      case .policy:
        node = ""
        services = []
        isService = false
      }
    }
  }

  private struct Change: Sendable {
    let sequence: UInt64
    let name: String
  }

  private(set) var entries: [String: Entry] = [:]
  /// The names behind an alias.
  private(set) var aliases: [String: [String]] = [:]
  /// The workloads of a service, and of a node.
  private(set) var members: [String: Set<String>] = [:]
  private(set) var residents: [String: Set<String>] = [:]
  /// What could not be encoded within the limits.
  private(set) var omitted: [String: Rejection] = [:]
  private(set) var bytes = 0
  /// Names in the order in which they changed, the newest last.
  private var changes: [Change] = []
  /// Changes up to this sequence are forgotten.
  private var forgotten: UInt64 = 0

  // MARK: Questions

  /// The names that changed after a sequence, once each; nil when that is too long ago.
  func changes(after sequence: UInt64) -> Set<String>? {
    guard sequence >= forgotten else { return nil }
    var names: Set<String> = []
    for change in changes.reversed() {
      guard change.sequence > sequence else { break }
      names.insert(change.name)
    }
    return names
  }

  // MARK: Changes

  mutating func upsert(_ content: MeshResource, at sequence: UInt64) {
    do throws(Rejection) {
      let entry = try Entry(content)
      let name = entry.envelope.name
      omitted[name] = nil
      if let old = entries[name] {
        guard old.envelope.resource != entry.envelope.resource else { return }
        unlink(old)
      }
      entries[name] = entry
      link(entry)
      record(name, at: sequence)
    } catch {
      let name = content.name
      // One that is too large to send must not stop to apply.
      if case .policy(let policy) = content, !policy.isDryRun, !policy.isUnreadable {
        upsert(.policy(.unreadable(policy.key, scope: policy.scope)), at: sequence)
      } else {
        remove(name, at: sequence)
      }
      omitted[name] = error
    }
  }

  mutating func remove(_ name: String, at sequence: UInt64) {
    omitted[name] = nil
    guard let old = entries.removeValue(forKey: name) else { return }
    unlink(old)
    record(name, at: sequence)
  }

  private mutating func record(_ name: String, at sequence: UInt64) {
    guard sequence > ResourceSet.firstSequence else { return }
    if changes.count >= max(Limit.rememberedChanges, 2 * entries.count) {
      let half = changes.count / 2
      // A sequence is forgotten whole.
      forgotten = changes[half - 1].sequence
      changes.removeAll { $0.sequence <= forgotten }
    }
    changes.append(Change(sequence: sequence, name: name))
  }

  private mutating func link(_ entry: Entry) {
    let name = entry.envelope.name
    bytes += entry.bytes
    for alias in entry.envelope.aliases { aliases[alias, default: []].append(name) }
    for service in entry.services { members[service, default: []].insert(name) }
    if !entry.node.isEmpty { residents[entry.node, default: []].insert(name) }
  }

  private mutating func unlink(_ entry: Entry) {
    let name = entry.envelope.name
    bytes -= entry.bytes
    for alias in entry.envelope.aliases {
      aliases[alias]?.removeAll { $0 == name }
      if aliases[alias]?.isEmpty == true { aliases[alias] = nil }
    }
    for service in entry.services {
      members[service]?.remove(name)
      if members[service]?.isEmpty == true { members[service] = nil }
    }
    residents[entry.node]?.remove(name)
    if residents[entry.node]?.isEmpty == true { residents[entry.node] = nil }
  }
}
