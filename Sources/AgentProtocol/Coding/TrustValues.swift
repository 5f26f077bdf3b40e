extension TrustUpdate: Coded {
  func write(to writer: inout Writer) {
    writer.integer(number)
    revocations.write(to: &writer)
    writer.list(bundles)
  }

  init(from reader: inout Reader) throws(DecodingError) {
    self.init(
      number: try reader.integer(), revocations: try Revocations(from: &reader),
      bundles: try reader.list())
  }
}

extension TrustUpdate.Revocations: Coded {
  func write(to writer: inout Writer) {
    switch self {
    case .off: writer.byte(0)
    case .unknown(let reason):
      writer.byte(1)
      writer.text(reason)
    case .lists(let lists):
      writer.byte(2)
      writer.list(lists) { $1.blob($0) }
    }
  }

  init(from reader: inout Reader) throws(DecodingError) {
    switch try reader.byte() {
    case 0: self = .off
    case 1: self = .unknown(reason: try reader.text())
    case 2:
      self = .lists(
        try reader.list { reader throws(DecodingError) in
          try reader.blob(limit: Limit.revocationListBytes)
        })
    case let tag: throw reader.unknown(tag, of: .revocations)
    }
  }
}

extension TrustUpdate.Bundle: Coded {
  func write(to writer: inout Writer) {
    writer.text(trustDomain)
    writer.list(roots) { $1.blob($0) }
  }

  init(from reader: inout Reader) throws(DecodingError) {
    self.init(
      trustDomain: try reader.text(),
      roots: try reader.list { reader throws(DecodingError) in try reader.blob() })
  }
}
