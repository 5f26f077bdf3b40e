import CLinux
import Glibc
public import MeshModel

/// The clock behind `Instant`: nanoseconds since boot, suspended time included.
public enum MonotonicClock {
  public static func now() -> Instant {
    Instant(nanoseconds: read(CLOCK_BOOTTIME))
  }
}

/// The clock behind `WallTime`.
public enum WallClock {
  public static func now() -> WallTime {
    WallTime(secondsSinceEpoch: Double(read(CLOCK_REALTIME)) / 1_000_000_000)
  }
}

/// The kernel's random numbers (getrandom).
public enum Random {
  public static func uint64() -> UInt64 {
    var number: UInt64 = 0
    let count = unsafe clinux_getrandom(&number, 8)
    precondition(count == 8, "getrandom gave \(count) of 8 bytes: errno \(errno)")
    return number
  }

  /// Eight bytes at a time; up to 256 bytes never come short (getrandom(2)).
  public static func bytes(_ count: Int) -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(count)
    while bytes.count < count {
      let number = uint64()
      for shift in 0..<min(8, count - bytes.count) {
        bytes.append(UInt8(truncatingIfNeeded: number >> (8 * UInt64(shift))))
      }
    }
    return bytes
  }
}

private func read(_ clock: CInt) -> UInt64 {
  var nanoseconds: UInt64 = 0
  let result = unsafe clinux_now(clock, &nanoseconds)
  precondition(result == 0, "clock_gettime(\(clock)): errno \(errno)")
  return nanoseconds
}
