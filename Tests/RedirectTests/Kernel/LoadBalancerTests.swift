import CBPF
import Glibc
import Linux
import MeshModel
import Testing

extension Kernel {
  /// Source: redirection.md, list 4, number 15.
  @Suite struct `Beside a load balancer in the socket layer` {
    private static let virtual = IPAddress.v4(0x0a60_0001)

    @Test func `the original destination is the service where there is none`() throws {
      try withTown { town in
        let standIn = try town.enrol()
        _ = try town.dial("\(Self.virtual)", 9000, from: town.pod)
        #expect(try standIn.connection("outbound4").to?.address == "\(Self.virtual)")
      }
    }

    @Test func `the original destination is the endpoint it chose`() throws {
      try withTown { town in
        let standIn = try town.enrol()
        let link = try Self.rewrite(to: town.peer.v4, in: town.groups.pod)
        let report = try town.dial("\(Self.virtual)", 9000, from: town.pod)
        #expect(report.outcome == "ok")
        #expect(try standIn.connection("outbound4").to?.address == "\(town.peer.v4)")
        withExtendedLifetime(link) {}
      }
    }

    /// A program on connect4 that turns the virtual address into this one, as such balancers do.
    private static func rewrite(
      to endpoint: IPAddress, in group: ControlGroup
    ) throws -> SharedDescriptor {
      func number(_ address: IPAddress) -> Int32 {
        Int32(bitPattern: address.bytes.reversed().reduce(0) { $0 << 8 | UInt32($1) })
      }
      // struct bpf_sock_addr: user_family, then user_ip4 in network order.
      let code = [
        instruction(0x61, to: 2, from: 1, offset: 4),
        instruction(0x56, to: 2, offset: 2, value: number(virtual)),
        instruction(0xb4, to: 2, value: number(endpoint)),
        instruction(0x63, to: 1, from: 2, offset: 4),
        instruction(0xb7, to: 0, value: 1),
        instruction(0x95),
      ]
      let program = unsafe cbpf_program_load(
        BPF_PROG_TYPE_CGROUP_SOCK_ADDR, BPF_CGROUP_INET4_CONNECT.rawValue, code, code.count)
      try #require(program >= 0, "\(unsafe String(cString: cbpf_take_log()))")
      let owned = OwnedDescriptor(adopting: program)
      let directory = try group.openDirectory()
      let link = bpf_link_create(owned.number, directory.number, BPF_CGROUP_INET4_CONNECT, nil)
      try #require(link >= 0)
      return SharedDescriptor(OwnedDescriptor(adopting: link))
    }

    private static func instruction(
      _ code: UInt8, to destination: UInt8 = 0, from source: UInt8 = 0, offset: Int16 = 0,
      value: Int32 = 0
    ) -> bpf_insn {
      var instruction = bpf_insn()
      instruction.code = code
      instruction.dst_reg = destination
      instruction.src_reg = source
      instruction.off = offset
      instruction.imm = value
      return instruction
    }
  }
}
