/// A header: a lower-case name and its value.
///
/// Bytes of a received value that are not UTF-8 appear as U+FFFD.
public struct HeaderField: Hashable, Sendable {
  public var name: String
  public var value: String
  /// Keeps the value out of every compression table on its way (RFC 7541, section 7.1.3).
  public var isNeverIndexed: Bool

  public init(name: String, value: String, isNeverIndexed: Bool = false) {
    self.name = name
    self.value = value
    self.isNeverIndexed = isNeverIndexed
  }
}

extension HeaderField: CustomStringConvertible {
  public var description: String { "\(name): \(isNeverIndexed ? "(never indexed)" : value)" }
}

extension [HeaderField] {
  /// The value of the first header of that (lower-case) name.
  public subscript(name: String) -> String? {
    first { $0.name == name }?.value
  }
}
