internal import IstioAPI

// What a request changes about a watch.

extension Watch {
  /// The first request of a type.
  mutating func open(
    _ request: DeltaDiscoveryRequest, _ table: ResourceTable, node: String
  ) throws(StreamRefusal) {
    let subscribed = request.resourceNamesSubscribe
    let claims = request.initialResourceVersions
    isWildcard = subscribed.isEmpty && request.resourceNamesUnsubscribe.isEmpty
    try subscribe(request, table)
    if isWildcard {
      owesAnswer = true
      waiting.formUnion(table.entries.keys)
    } else {
      // Names claimed on an on-demand stream are names asked for, as istiod reads it.
      try add(claims.keys, table)
      waiting.formUnion(table.residents[node] ?? [])
    }
    for (name, version) in claims {
      guard let entry = table.entries[name] else {
        waiting.insert(name)
        continue
      }
      guard entry.envelope.version == version else { continue }
      waiting.remove(name)
      if !isWildcard { sent.insert(name) }
    }
  }

  /// What any request adds and removes; it does so even with a stale nonce.
  mutating func subscribe(
    _ request: DeltaDiscoveryRequest, _ table: ResourceTable
  ) throws(StreamRefusal) {
    let added = request.resourceNamesSubscribe
    let removed = request.resourceNamesUnsubscribe
    if added.contains(wildcard), !removed.contains(wildcard), !isWildcard {
      isWildcard = true
      owesAnswer = true
      waiting.formUnion(table.entries.keys)
      sent = []
    }
    if removed.contains(wildcard), isWildcard {
      isWildcard = false
      // The client drops what no name covers; what is on its way by name stays.
      waiting = []
      sent = []
      for name in names { want(name, table) }
    }
    try add(added.filter { $0 != wildcard }, table)
    for name in removed where name != wildcard { drop(name, table) }
  }

  private mutating func add(
    _ added: some Sequence<String>, _ table: ResourceTable
  ) throws(StreamRefusal) {
    for name in added {
      guard name.utf8.count <= Limit.nameBytes else {
        throw .nameTooLong(bytes: name.utf8.count)
      }
      names.insert(name)
      want(name, table)
    }
    guard names.count <= Limit.subscriptions else { throw .tooManyNames }
  }

  /// Puts what a name stands for into `waiting`; the name itself when it stands for nothing.
  private mutating func want(_ name: String, _ table: ResourceTable) {
    let meant = table.entries[name] != nil ? [name] : table.aliases[name] ?? []
    guard !meant.isEmpty else {
      waiting.insert(name)
      return
    }
    for resource in meant {
      waiting.insert(resource)
      waiting.formUnion(table.members[resource] ?? [])
    }
  }

  private mutating func drop(_ name: String, _ table: ResourceTable) {
    guard names.remove(name) != nil, !isWildcard else { return }
    for resource in table.entries[name] != nil ? [name] : table.aliases[name] ?? [] {
      sent.remove(resource)
      for member in table.members[resource] ?? [] { sent.remove(member) }
    }
    waiting.remove(name)
  }

  /// Takes note of an acknowledgement or a refusal; one that is not of the newest response counts
  /// for nothing.
  mutating func acknowledge(_ request: DeltaDiscoveryRequest) {
    guard let outstanding, request.responseNonce == outstanding.nonce else {
      statistics.stale += 1
      return
    }
    self.outstanding = nil
    if request.hasErrorDetail {
      statistics.refused += 1
      statistics.lastRefusal = clipped(
        request.errorDetail.message, toBytes: Limit.refusalTextBytes)
    } else {
      statistics.acknowledged += 1
    }
    if let generation = outstanding.generation { statistics.generation = generation }
  }
}
