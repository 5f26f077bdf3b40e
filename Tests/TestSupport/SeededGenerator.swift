/// A reproducible source of chance (SplitMix64); a failing run prints its seed.
package struct SeededGenerator: RandomNumberGenerator {
  private var state: UInt64

  package init(seed: UInt64) { state = seed }

  package mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
    return mixed ^ (mixed >> 31)
  }

  package mutating func below(_ limit: Int) -> Int { Int(next() % UInt64(limit)) }

  package mutating func chance(_ percent: Int) -> Bool { below(100) < percent }

  package mutating func one<Element>(of choices: [Element]) -> Element {
    choices[below(choices.count)]
  }

  /// Up to `limit` of what `make` makes.
  package mutating func some<Element>(
    upTo limit: Int, _ make: (inout Self) -> Element
  ) -> [Element] {
    var made: [Element] = []
    for _ in 0..<below(limit + 1) { made.append(make(&self)) }
    return made
  }
}
