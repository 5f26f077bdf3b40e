// Which of several services an address or a host name means to a client.
//
// Source: ambient-protocol.md, section 3.4.

extension MeshIndex {
  /// The service that an address of a network means to clients of a namespace.
  ///
  /// One whose very address it is comes before one whose block holds it. A service that the
  /// namespace may not see does not count; without a namespace all are seen.
  public func service(
    at vip: IPAddress, on network: String = "", for namespace: String? = nil
  ) -> Service? {
    if let keys = tables.virtualAddresses[network]?[vip],
      let service = ranked(keys, for: namespace).first
    {
      return service
    }
    guard let table = tables.virtualBlocks[network] else { return nil }
    // Longest prefix first, and kept so among equals: only the own namespace beats length.
    let visible = visible(table.services(holding: vip), to: namespace)
    if let own = visible.first(where: { $0.key.namespace == namespace }) { return own }
    guard let longest = visible.first?.longestPrefix(holding: vip, on: network) else { return nil }
    let nearest = visible.prefix { $0.longestPrefix(holding: vip, on: network) == longest }
    return nearest.first(where: \.isCanonical) ?? nearest.first
  }

  /// The service that a host name means to clients of a namespace.
  public func service(host: String, for namespace: String? = nil) -> Service? {
    services(host: host, for: namespace).first
  }

  /// All services of that host name which a namespace may see, the one meant first.
  ///
  /// The client's own namespace comes first, then the canonical one, then `preferred`, then the
  /// rest by namespace.
  public func services(
    host: String, for namespace: String? = nil, preferring preferred: String? = nil
  ) -> [Service] {
    guard let keys = tables.hostnames[host] else { return [] }
    return ranked(keys, for: namespace, preferring: preferred)
  }

  private func visible(_ keys: [ServiceKey], to namespace: String?) -> [Service] {
    keys.compactMap { model.services[$0] }.filter { $0.isVisible(to: namespace) }
  }

  /// Stable: equals keep their order, which is that of their keys.
  private func ranked(
    _ keys: [ServiceKey], for namespace: String?, preferring preferred: String? = nil
  ) -> [Service] {
    let visible = visible(keys, to: namespace)
    guard visible.count > 1 else { return visible }
    func rank(_ service: Service) -> Int {
      if service.key.namespace == namespace { return 0 }
      if service.isCanonical { return 1 }
      return service.key.namespace == preferred ? 2 : 3
    }
    return visible.enumerated()
      .sorted { (rank($0.element), $0.offset) < (rank($1.element), $1.offset) }
      .map(\.element)
  }
}

extension Service {
  /// Whether clients of a namespace may see it; nil stands for any client.
  public func isVisible(to namespace: String?) -> Bool {
    switch visibility {
    case .everyone: true
    case .ownNamespace: namespace == nil || namespace == key.namespace
    }
  }

  /// Whether connections to it go through a waypoint.
  public var hasWaypoint: Bool {
    waypoint != nil || weightedWaypoints.contains { $0.weight > 0 }
  }

  fileprivate func longestPrefix(holding ip: IPAddress, on network: String) -> Int? {
    virtualAddresses.lazy.filter { $0.network == network && $0.block.contains(ip) }
      .map(\.block.prefixLength).max()
  }
}
