/// A hash of bytes that is the same in every process: XXH64 with seed 0.
///
/// It tells versions of one resource apart; it is no defence against anybody.
/// Source: the xxHash specification, version 0.1.1, section "XXH64".
func contentHash(_ bytes: borrowing Span<UInt8>) -> UInt64 {
  var position = 0
  var hash: UInt64
  if bytes.count >= 32 {
    var lanes: (UInt64, UInt64, UInt64, UInt64) = (
      XXH64.prime1 &+ XXH64.prime2, XXH64.prime2, 0, 0 &- XXH64.prime1
    )
    while position + 32 <= bytes.count {
      lanes.0 = XXH64.round(lanes.0, XXH64.word(bytes, at: position))
      lanes.1 = XXH64.round(lanes.1, XXH64.word(bytes, at: position + 8))
      lanes.2 = XXH64.round(lanes.2, XXH64.word(bytes, at: position + 16))
      lanes.3 = XXH64.round(lanes.3, XXH64.word(bytes, at: position + 24))
      position += 32
    }
    hash =
      XXH64.rotate(lanes.0, 1) &+ XXH64.rotate(lanes.1, 7) &+ XXH64.rotate(lanes.2, 12)
      &+ XXH64.rotate(lanes.3, 18)
    hash = XXH64.merge(hash, lanes.0)
    hash = XXH64.merge(hash, lanes.1)
    hash = XXH64.merge(hash, lanes.2)
    hash = XXH64.merge(hash, lanes.3)
  } else {
    hash = XXH64.prime5
  }
  hash &+= UInt64(bytes.count)
  while position + 8 <= bytes.count {
    hash ^= XXH64.round(0, XXH64.word(bytes, at: position))
    hash = XXH64.rotate(hash, 27) &* XXH64.prime1 &+ XXH64.prime4
    position += 8
  }
  if position + 4 <= bytes.count {
    hash ^= XXH64.word(bytes, at: position, count: 4) &* XXH64.prime1
    hash = XXH64.rotate(hash, 23) &* XXH64.prime2 &+ XXH64.prime3
    position += 4
  }
  while position < bytes.count {
    hash ^= UInt64(bytes[position]) &* XXH64.prime5
    hash = XXH64.rotate(hash, 11) &* XXH64.prime1
    position += 1
  }
  return XXH64.avalanche(hash)
}

/// The hash as sixteen hexadecimal digits.
func contentVersion(_ bytes: borrowing Span<UInt8>) -> String {
  let digits = String(contentHash(bytes), radix: 16)
  return String(repeating: "0", count: 16 - digits.count) + digits
}

private enum XXH64 {
  static let prime1: UInt64 = 11_400_714_785_074_694_791
  static let prime2: UInt64 = 14_029_467_366_897_019_727
  static let prime3: UInt64 = 1_609_587_929_392_839_161
  static let prime4: UInt64 = 9_650_029_242_287_828_579
  static let prime5: UInt64 = 2_870_177_450_012_600_261

  static func rotate(_ word: UInt64, _ count: UInt64) -> UInt64 {
    word << count | word >> (64 - count)
  }

  static func round(_ lane: UInt64, _ word: UInt64) -> UInt64 {
    rotate(lane &+ word &* prime2, 31) &* prime1
  }

  static func merge(_ hash: UInt64, _ lane: UInt64) -> UInt64 {
    (hash ^ round(0, lane)) &* prime1 &+ prime4
  }

  static func avalanche(_ hash: UInt64) -> UInt64 {
    var hash = (hash ^ hash >> 33) &* prime2
    hash = (hash ^ hash >> 29) &* prime3
    return hash ^ hash >> 32
  }

  /// Little-endian bytes as a number.
  static func word(_ bytes: borrowing Span<UInt8>, at position: Int, count: Int = 8) -> UInt64 {
    var word: UInt64 = 0
    for index in 0..<count {
      word |= UInt64(bytes[position + index]) << UInt64(8 * index)
    }
    return word
  }
}
