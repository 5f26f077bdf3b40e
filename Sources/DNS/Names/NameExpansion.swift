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
  /// Wildcards that may hold the asked name, tried when no alias means anything.
  ///
  /// Those above the name as it was asked, and above what is left of it without a search domain; never
  /// those above a name with something appended. What is Kubernetes' own is not another's by
  /// `*.local`, nor `db.io.svc.cluster.local` by `*.io`. Source: decision 0010.
  private(set) var wildcards: [String] = []

  /// `host` is in lower case, without its last dot.
  init(_ host: String, clientNamespace: String, clusterDomain: String) {
    let isInCluster = NameExpansion.cut(clusterDomain, off: host) != nil
    wildcards = NameExpansion.wildcards(of: host).filter { wildcard in
      !isInCluster || NameExpansion.cut(clusterDomain, off: wildcard) != nil
    }
    append(host, clusterDomain, clientNamespace, canonicalLabels: nil)
    for domain in [
      "\(clientNamespace).svc.\(clusterDomain)", "svc.\(clusterDomain)", clusterDomain,
    ] {
      guard let stripped = NameExpansion.cut(domain, off: host) else { continue }
      let labels = stripped.utf8.count { $0 == UInt8(ascii: ".") } + 1
      append(stripped, clusterDomain, clientNamespace, canonicalLabels: labels)
      if !NameExpansion.mayBeKubernetes(host, clusterDomain) {
        wildcards += NameExpansion.wildcards(of: stripped)
      }
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

  /// Whether Kubernetes may have given the name to a service or pod, known to the mesh or not.
  ///
  ///     <service>.<namespace>.svc.<domain>
  ///     <pod>.<service>.<namespace>.svc.<domain>
  ///     <address>.<namespace>.pod.<domain>
  private static func mayBeKubernetes(_ host: String, _ domain: String) -> Bool {
    guard let front = cut(domain, off: host) else { return false }
    let labels = front.utf8.count { $0 == UInt8(ascii: ".") } + 1
    return labels <= 4
      && (front.utf8.suffix(4).elementsEqual(".svc".utf8)
        || front.utf8.suffix(4).elementsEqual(".pod".utf8))
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
