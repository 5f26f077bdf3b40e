extension [UInt8] {
  /// Appends a number as DNS writes it, most significant byte first.
  mutating func append(bigEndian number: UInt16) {
    append(UInt8(truncatingIfNeeded: number >> 8))
    append(UInt8(truncatingIfNeeded: number))
  }
}
