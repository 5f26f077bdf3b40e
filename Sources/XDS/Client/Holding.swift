internal import MeshModel

/// What a client knows of one type, beside the resources themselves.
struct Holding: Sendable {
  enum Kind: UInt8, Sendable {
    case workload, service, policy
  }

  struct Known: Sendable {
    var kind: Kind
    /// Of the last one that was good.
    var version: String
    /// As it was encoded.
    var bytes: Int
  }

  /// What the model holds, by the protocol's name.
  private(set) var known: [String: Known] = [:]
  /// The sum of `known`'s bytes.
  private(set) var bytes = 0
  /// Known from an earlier stream, and not claimed on this one: nobody will say that they are gone.
  private(set) var unconfirmed: Set<String> = []
  /// Names whose newest version was not taken.
  private(set) var rejected: [String: Rejection] = [:]
  /// A response of this type was seen since the start of the process.
  var isAnswered = false

  /// Whether one more, or a larger one, still fits.
  func hasRoom(for name: String, bytes new: Int) -> Bool {
    guard let old = known[name] else {
      return known.count < Limit.heldResources && bytes + new <= Limit.heldBytes
    }
    return bytes - old.bytes + new <= Limit.heldBytes
  }

  mutating func hold(_ name: String, _ entry: Known) {
    bytes += entry.bytes - (known.updateValue(entry, forKey: name)?.bytes ?? 0)
    unconfirmed.remove(name)
    rejected[name] = nil
  }

  mutating func reject(_ name: String, _ reason: Rejection) {
    unconfirmed.remove(name)
    if rejected.count < Limit.rememberedRejections || rejected[name] != nil {
      rejected[name] = reason
    }
  }

  /// What was known under the name, if anything.
  mutating func forget(_ name: String) -> Known? {
    unconfirmed.remove(name)
    rejected[name] = nil
    guard let entry = known.removeValue(forKey: name) else { return nil }
    bytes -= entry.bytes
    return entry
  }

  /// The versions to claim on a new stream, as many as fit into a request.
  mutating func claims(within limit: Int) -> [String: String] {
    var claims: [String: String] = [:]
    var bytes = 0
    unconfirmed = []
    // What the server has in another version than the claimed one comes again, to be judged anew.
    rejected = [:]
    for (name, entry) in known {
      // Tags and lengths of a map entry on the wire: at most 12 bytes.
      bytes += name.utf8.count + entry.version.utf8.count + 12
      if bytes <= limit {
        claims[name] = entry.version
      } else {
        unconfirmed.insert(name)
      }
    }
    return claims
  }
}
