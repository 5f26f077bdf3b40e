import Linux
import MeshModel

/// Two pods' namespaces joined by a cable, and a stand-in for the kernel's redirection.
///
/// What a client marks goes to lo, so a transparent listener on its port takes it with the original
/// destination as its own address; what an application answers to a kept address comes back the
/// same way. Port 15008 is an ordinary listener.
final class TestNetwork: Sendable {
  static let capture: UInt32 = 0x77
  static let mark: UInt32 = 0x5ce1_0000
  static let table = 77

  let client: NetworkNamespace
  let server: NetworkNamespace

  init() throws {
    let host = try NetworkNamespace.make()
    client = try NetworkNamespace.make()
    server = try NetworkNamespace.make()
    let process = CurrentProcess.id
    let (clientNumber, serverNumber) = (client.number, server.number)
    _ = try host.perform {
      try ip(
        "link add eth0 netns /proc/\(process)/fd/\(clientNumber) type veth "
          + "peer name eth0 netns /proc/\(process)/fd/\(serverNumber)")
    }.get()
    try Self.configure(client, address: "10.77.0.1", "fd77::1")
    try Self.configure(server, address: "10.77.0.2", "fd77::2")
  }

  private static func configure(
    _ namespace: borrowing NetworkNamespace, address: String, _ address6: String
  ) throws {
    _ = try namespace.perform {
      try ip("link set lo up")
      try ip("addr add \(address)/24 dev eth0")
      try ip("-6 addr add \(address6)/64 dev eth0 nodad")
      try ip("link set eth0 up")
      try ip("route add default dev eth0")
      for (family, own) in [("-4", address), ("-6", address6)] {
        try ip("\(family) rule add fwmark 0x77 lookup \(table)")
        try ip("\(family) rule add fwmark 0x5ce10000/0xffff0000 lookup \(table)")
        try ip("\(family) route add local default dev lo src \(own) table \(table)")
      }
      for setting in [
        "net/ipv4/tcp_fwmark_accept", "net/ipv4/fwmark_reflect",
        "net/ipv6/fwmark_reflect", "net/ipv4/conf/lo/accept_local",
      ] {
        try Sysctl.write(setting, "1")
      }
      for interface in ["all", "lo", "eth0"] {
        try Sysctl.write("net/ipv4/conf/\(interface)/rp_filter", "0")
      }
    }.get()
  }
}
