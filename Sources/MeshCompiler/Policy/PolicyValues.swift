import MeshModel

extension ObjectReader {
  /// The strings of a list that must hold something; an empty one would match nothing, or all.
  mutating func values(_ field: Field?) -> [Written<String>] {
    guard let field else { return [] }
    if case .sequence(let items) = field.value.content, items.isEmpty {
      error(.invalidValue, at: field, "expected at least one value, found an empty list")
    }
    var read: [Written<String>] = []
    for value in strings(field) {
      if value.value.isEmpty {
        invalid(value, "expected a value, found an empty string")
      } else {
        read.append(value)
      }
    }
    return read
  }

  /// Exact values, `prefix*`, `*suffix`, or `*` for any.
  mutating func patterns(_ field: Field?, isPrincipal: Bool = false) -> [StringMatch] {
    var matches: [StringMatch] = []
    for written in values(field) {
      let text = written.value
      if isPrincipal, text.hasPrefix("spiffe://") {
        invalid(written, "expected a principal without spiffe://, found \(quoted(text))")
        continue
      }
      let stars = text.utf8.count { $0 == UInt8(ascii: "*") }
      switch (stars, text.hasPrefix("*"), text.hasSuffix("*")) {
      case (0, _, _): matches.append(.exact(text))
      case (1, true, true): matches.append(.presence)
      case (1, true, false): matches.append(.suffix(String(text.dropFirst())))
      case (1, false, true): matches.append(.prefix(String(text.dropLast())))
      case (_, _, _):
        invalid(written, "expected at most one *, at the start or the end, found \(quoted(text))")
      }
    }
    return matches
  }

  /// `namespace/account`, or `account` in the policy's own namespace.
  mutating func serviceAccounts(_ field: Field?) -> [ServiceAccountMatch] {
    var matches: [ServiceAccountMatch] = []
    for written in values(field) {
      let parts = written.value.split(separator: "/", omittingEmptySubsequences: false)
        .map(String.init)
      let namespace = parts.count == 2 ? parts[0] : origin.object?.namespace ?? ""
      guard parts.count <= 2, let account = parts.last, NameShape.subdomain.accepts(account),
        NameShape.label.accepts(namespace)
      else {
        invalid(
          written,
          "expected a service account as name or namespace/name, without patterns, found "
            + quoted(written.value))
        continue
      }
      matches.append(ServiceAccountMatch(namespace: namespace, serviceAccount: account))
    }
    return matches
  }

  mutating func blocks(_ field: Field?) -> [CIDR] {
    var blocks: [CIDR] = []
    for written in values(field) {
      guard let block = CIDR(written.value) else {
        invalid(
          written,
          "expected an address or a block such as 10.0.0.0/8, found \(quoted(written.value))")
        continue
      }
      blocks.append(block)
    }
    return blocks
  }

  /// Blocks meant for the client before all proxies, held against the address of the connection.
  mutating func remoteBlocks(_ field: Field?) -> [CIDR] {
    let blocks = blocks(field)
    if let field, !blocks.isEmpty {
      report(
        .warning, .notEnforcedAsWritten, at: field.path, line: field.line,
        "compared with the connection's own source address; a proxy's X-Forwarded-For is not seen")
    }
    return blocks
  }

  /// Ports as Istio writes them: in quotes.
  mutating func textPorts(_ field: Field?) -> [UInt16] {
    var ports: [UInt16] = []
    for written in values(field) {
      let digits = written.value.utf8.allSatisfy { (0x30...0x39).contains($0) }
      guard digits, let port = UInt16(written.value), port > 0 else {
        invalid(
          written, "expected a port from \"1\" to \"65535\", found \(quoted(written.value))")
        continue
      }
      ports.append(port)
    }
    return ports
  }

  /// The addresses that lie in both lists: of two blocks that overlap, one lies within the other.
  func common(_ a: [CIDR], _ b: [CIDR]) -> [CIDR] {
    a.flatMap { first in
      b.compactMap { second in
        let (wide, narrow) =
          first.prefixLength <= second.prefixLength ? (first, second) : (second, first)
        return wide.contains(narrow.base) ? narrow : nil
      }
    }
  }
}
