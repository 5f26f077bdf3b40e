import Glibc

/// Settings under /proc/sys; those of `net` are those of the calling thread's network namespace.
///
/// A name is the path below /proc/sys, for example `net/ipv4/conf/lo/accept_local`.
public enum Sysctl {
  /// The setting without its line end; nil when the kernel has no such setting.
  public static func read(_ name: String) throws(LinuxError) -> String? {
    do throws(LinuxError) {
      let text = try File.readText("/proc/sys/\(name)")
      return text.last == "\n" ? String(text.dropLast()) : text
    } catch {
      if error.isNotFound { return nil }
      throw error
    }
  }

  /// False when the kernel has no such setting; an equal value is not written again.
  @discardableResult
  public static func write(_ name: String, _ value: String) throws(LinuxError) -> Bool {
    guard let current = try read(name) else { return false }
    if current != value { try File.write("/proc/sys/\(name)", value) }
    return true
  }

  /// Whether this kernel and network namespace have IPv6 at all.
  ///
  /// False with `ipv6.disable=1`, and with `disable_ipv6` set on loopback.
  public static func hasIPv6() throws(LinuxError) -> Bool {
    try read("net/ipv6/conf/lo/disable_ipv6") == "0"
  }
}
