/// Whose turn it is among a service's endpoints, counted for each destination by itself.
///
/// One count for all would tie destinations to each other: a client that opens the same three
/// connections for each request would meet one of a service's three endpoints for ever.
struct Turns {
  private let first: UInt64
  private var taken = [UInt64](repeating: 0, count: ZTunnelLimit.turnCounters)

  /// Where all begin is a matter of chance, so that nodes do not begin with the same endpoint.
  init(first: UInt64) { self.first = first }

  /// The next turn of `destination`; those that share a counter may take turns less evenly.
  mutating func take(_ destination: some Hashable) -> UInt64 {
    let counter = Int(UInt(bitPattern: destination.hashValue) % UInt(taken.count))
    taken[counter] &+= 1
    return first &+ taken[counter]
  }
}
