/// Which control groups of earlier ztunnels are forgotten, the oldest first.
///
/// A listener that a ztunnel takes over, and each connection made through it, is of its maker's group
/// for good: without that group its packets would be turned back like an application's. The number of
/// a group that is gone is given to no other, and the kernel counts upwards.
func outgrownGroups(of numbers: Set<UInt64>, current: UInt64) -> [UInt64] {
  Array(numbers.subtracting([current]).sorted().dropLast(Limit.earlierTunnelGroups))
}
