import MeshModel

/// What the mesh says to a query: no error, and no, one or many records.
///
/// Without records: the name is the mesh's and has none of that type.
public struct Answer: Hashable, Sendable {
  /// The name, without the search domain a client's library had added; nil: as it was asked.
  var canonicalLabels: Int?
  var addresses: [IPAddress] = []
  var services: [ServiceRecord] = []

  /// One endpoint of a service; its addresses travel along.
  struct ServiceRecord: Hashable, Sendable {
    var port: UInt16
    /// A host name in lower case.
    var target: String
    var addresses: [IPAddress]
  }
}

extension Answer {
  /// In an order of chance, and no more addresses than fit `limit` bytes; for an answer given before.
  public func shuffled(random: UInt64, limit: Int) -> Answer {
    guard addresses.count > 1 || services.count > 1 else { return self }
    var chance = Chance(random)
    var answer = self
    // One more than fits, so that the answer is known to be cut.
    answer.addresses = chance.shuffled(addresses, keeping: limit / Limit.leastRecordBytes + 1)
    answer.services = chance.shuffled(services, keeping: services.count)
    return answer
  }
}

/// What became of a query.
///
/// Source: RFC 1035, section 4.1.1.
public enum ResponseCode: UInt8, Hashable, Sendable {
  case noError = 0
  case formatError = 1
  case serverFailure = 2
}
