internal import IstioAPI

// What a watch has to say.

extension Watch {
  /// Puts what changed since the last time into `waiting`.
  mutating func catchUp(
    to resources: ResourceSet, _ table: ResourceTable, node: String
  ) throws(StreamRefusal) {
    guard sequence != resources.sequence else { return }
    guard let changes = table.changes(after: sequence) else { throw .behind }
    sequence = resources.sequence
    guard !isWildcard else {
      waiting.formUnion(changes)
      return
    }
    for name in changes {
      if let entry = table.entries[name] {
        guard covers(entry, node: node) else { continue }
        waiting.insert(name)
        // A service that a name stands for since now brings its workloads along.
        if entry.isService, !sent.contains(name) {
          waiting.formUnion(table.members[name] ?? [])
        }
      } else if sent.contains(name) || names.contains(name) {
        waiting.insert(name)
      }
    }
  }

  /// Moves as much of `waiting` into a response as fits; at least one name.
  mutating func takeResponse(from table: ResourceTable, within limit: Int) -> DeltaDiscoveryResponse
  {
    var response = DeltaDiscoveryResponse()
    var bytes = 0
    var taken: [String] = []
    for name in waiting {
      let entry = table.entries[name]
      bytes += entry?.bytes ?? name.utf8.count + 6
      guard taken.isEmpty || bytes <= limit else { break }
      taken.append(name)
      if let entry {
        response.resources.append(entry.envelope)
        if !isWildcard { sent.insert(name) }
      } else {
        response.removedResources.append(name)
        sent.remove(name)
      }
    }
    if taken.count == waiting.count {
      waiting = []
    } else {
      waiting.subtract(taken)
    }
    return response
  }
}
