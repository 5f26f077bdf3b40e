/// The names of the model that an asked name may stand for, in the order they are tried.
///
/// Source: ambient-protocol.md, section 8.
struct NameExpansion: Sequence {
  /// One such name.
  struct Alias: Hashable {
    var host: String
    /// How many of the asked name's labels are left when a search domain was cut off; nil when none.
    var canonicalLabels: Int?
  }

  private(set) var aliases: [Alias] = []

  /// `host` is in lower case, without its last dot.
  init(_ host: String, clientNamespace: String, clusterDomain: String) {
    append(host, clusterDomain, clientNamespace, canonicalLabels: nil)
    for domain in [
      "\(clientNamespace).svc.\(clusterDomain)", "svc.\(clusterDomain)", clusterDomain,
    ] {
      guard let stripped = NameExpansion.cut(domain, off: host) else { continue }
      let labels = stripped.utf8.count { $0 == UInt8(ascii: ".") } + 1
      append(stripped, clusterDomain, clientNamespace, canonicalLabels: labels)
    }
  }

  func makeIterator() -> IndexingIterator<[Alias]> { aliases.makeIterator() }

  private mutating func append(
    _ host: String, _ domain: String, _ namespace: String, canonicalLabels: Int?
  ) {
    aliases.append(Alias(host: host, canonicalLabels: canonicalLabels))
    for expanded in NameExpansion.kubernetes(host, domain, namespace) {
      aliases.append(Alias(host: expanded, canonicalLabels: canonicalLabels))
    }
  }

  /// What Kubernetes' own search list would make of a short name.
  private static func kubernetes(
    _ host: String, _ domain: String, _ namespace: String
  ) -> [String] {
    let labels = host.utf8.count { $0 == UInt8(ascii: ".") } + 1
    let endsInService = host.utf8.suffix(4).elementsEqual(".svc".utf8)
    switch labels {
    case 1: return ["\(host).\(namespace).svc.\(domain)"]
    case 2: return ["\(host).svc.\(domain)", "\(host).\(namespace).svc.\(domain)"]
    case 3: return (endsInService ? ["\(host).\(domain)"] : []) + ["\(host).svc.\(domain)"]
    case 4: return endsInService ? ["\(host).\(domain)"] : []
    default: return []
    }
  }

  /// The name without a domain at its end; nil when it has no such end.
  static func cut(_ domain: String, off host: String) -> String? {
    let tail = domain.utf8
    let all = host.utf8
    guard all.count > tail.count + 1, all.suffix(tail.count).elementsEqual(tail) else { return nil }
    let front = all.dropLast(tail.count)
    guard front.last == UInt8(ascii: ".") else { return nil }
    return String(Substring(front.dropLast()))
  }

  /// `a.b.c` as `*.b.c`, then `*.c`; a single label has none.
  static func wildcards(of host: String) -> [String] {
    var wildcards: [String] = []
    var rest = host[...]
    while let dot = rest.utf8.firstIndex(of: UInt8(ascii: ".")) {
      rest = rest[rest.utf8.index(after: dot)...]
      wildcards.append("*.\(rest)")
    }
    return wildcards
  }
}
