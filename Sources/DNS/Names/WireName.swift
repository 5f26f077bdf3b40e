/// Names as messages hold them: labels with a length byte each, and a zero.
enum WireName {
  /// Nil when a label is empty or too long, or the name is.
  static func encode(_ host: String) -> [UInt8]? {
    var wire: [UInt8] = []
    wire.reserveCapacity(host.utf8.count + 2)
    for label in host.utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false) {
      guard (1...Limit.labelBytes).contains(label.count) else { return nil }
      wire.append(UInt8(label.count))
      wire.append(contentsOf: label)
    }
    wire.append(0)
    return wire.count <= Limit.nameBytes ? wire : nil
  }
}
