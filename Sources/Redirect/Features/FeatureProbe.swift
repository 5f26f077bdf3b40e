import CBPF
import Glibc
import Linux

/// Trying single features of the kernel, each on things of its own that go away again.
enum FeatureProbe {
  typealias Outcome = KernelFeature.Outcome

  /// tcx on the loopback of a fresh namespace.
  static func tcx() -> Outcome {
    withScratch { () throws(LinuxError) in
      let program = try load(BPF_PROG_TYPE_SCHED_CLS, accept)
      let link = bpf_link_create(
        program.number, REDIRECT_LOOPBACK_IFINDEX, BPFSystem.tcxEgress, nil)
      try check("bpf_link_create", link)
      _ = OwnedDescriptor(adopting: link)
    }
  }

  static func clsact() -> Outcome {
    withScratch { () throws(LinuxError) in
      let program = try load(BPF_PROG_TYPE_SCHED_CLS, accept)
      try check("clsact", cbpf_clsact_make(REDIRECT_LOOPBACK_IFINDEX))
      try check("cls_bpf", cbpf_clsact_attach(REDIRECT_LOOPBACK_IFINDEX, program.number, 0))
    }
  }

  static func socketLookup() -> Outcome {
    withScratch { () throws(LinuxError) in
      let program = try load(
        BPF_PROG_TYPE_SK_LOOKUP, readsIngressInterface, attach: BPF_SK_LOOKUP.rawValue)
      let namespace = try NetworkNamespace.current()
      let link = bpf_link_create(program.number, namespace.number, BPF_SK_LOOKUP, nil)
      try check("bpf_link_create", link)
      _ = OwnedDescriptor(adopting: link)
    }
  }

  /// A listener of a fresh namespace, put into a sockmap.
  static func socketMap() -> Outcome {
    withScratch { () throws(LinuxError) in
      let map = unsafe bpf_map_create(BPF_MAP_TYPE_SOCKMAP, "skein_probe", 4, 8, 1, nil)
      try check("bpf_map_create", map)
      let owned = OwnedDescriptor(adopting: map)
      let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | O_CLOEXEC, 0)
      try check("socket", listener)
      let ownedListener = OwnedDescriptor(adopting: listener)
      try check("listen", listen(ownedListener.number, 1))
      var slot: UInt32 = 0
      var value = UInt64(ownedListener.number)
      try check("bpf_map_update_elem", unsafe bpf_map_update_elem(owned.number, &slot, &value, 0))
    }
  }

  /// The programs themselves, with this kernel's verifier.
  static func programs() -> Outcome {
    do throws(RedirectError) {
      for (object, program) in [
        (EmbeddedObject.egress, "egress"), (.egress, "egress_bare"), (.lookup, "lookup"),
        (.probes, "probes"),
      ] {
        _ = try LoadedObject.load(object, programs: [program], reusing: [])
      }
      return .works
    } catch {
      return .fails("\(error)")
    }
  }

  static func sockOperations() -> Outcome {
    attempt { () throws(LinuxError) in
      _ = try load(BPF_PROG_TYPE_SOCK_OPS, [moveImmediate(1), exit])
    }
  }

  /// The program that keeps pods from bypassing tc, attached for a moment.
  static func packetGuard() -> Outcome {
    do throws(RedirectError) {
      let object = try LoadedObject.load(.packetGuard, programs: ["guard"], reusing: [])
      let program = try object.program("guard")
      return attempt { () throws(LinuxError) in
        let root = try ControlGroup.root().openDirectory()
        // Denies nothing: its map is empty.
        let link = bpf_link_create(program.number, root.number, BPF_CGROUP_SETSOCKOPT, nil)
        try check("bpf_link_create", link)
        _ = OwnedDescriptor(adopting: link)
      }
    } catch {
      return .fails("\(error)")
    }
  }

  static func bpfFileSystem() -> Outcome {
    attempt { () throws(LinuxError) in
      try BPFFileSystem.mount(at: RedirectConstants.bpfFileSystem)
    }
  }

  static func controlGroups() -> Outcome {
    attempt { () throws(LinuxError) in _ = try ControlGroup.root() }
  }

  static func ipv6() -> Outcome {
    withScratch { () throws(LinuxError) in
      guard try Sysctl.hasIPv6() else {
        throw LinuxError(call: "/proc/sys/net/ipv6", errno: EAFNOSUPPORT)
      }
    }
  }

  static func namespaceCookie() -> Outcome {
    attempt { () throws(LinuxError) in _ = try NetworkNamespace.current().cookie() }
  }

  static func sysctl(_ sysctl: RedirectionSysctl) -> Outcome {
    withScratch { () throws(LinuxError) in
      guard try Sysctl.write(sysctl.name, "1") else {
        throw LinuxError(call: "sysctl", errno: ENOENT, subject: sysctl.name)
      }
    }
  }

  /// An option of a TCP socket, by level and name as in the kernel's headers.
  static func socketOption(_ level: CInt, _ name: CInt, _ value: UInt32) -> Outcome {
    withScratch { () throws(LinuxError) in
      let number = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | O_CLOEXEC, 0)
      try check("socket", number)
      let owned = OwnedDescriptor(adopting: number)
      var value = value
      try check(
        "setsockopt", unsafe setsockopt(owned.number, level, name, &value, 4))
    }
  }

  /// A ULP name for an unconnected socket: ENOTCONN says that the kernel knows it.
  static func kernelTLS() -> Outcome {
    attempt { () throws(LinuxError) in
      let number = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | O_CLOEXEC, 0)
      try check("socket", number)
      let owned = OwnedDescriptor(adopting: number)
      let name: [CChar] = "tls".utf8CString.dropLast()
      let result = unsafe setsockopt(owned.number, CInt(IPPROTO_TCP), 31, name, 3)
      if result != 0 && errno != ENOTCONN { try check("setsockopt TCP_ULP", result) }
    }
  }

  private static func withScratch(_ body: () throws(LinuxError) -> Void) -> Outcome {
    attempt { () throws(LinuxError) in try NetworkNamespace.make().run(body) }
  }

  private static func attempt(_ body: () throws(LinuxError) -> Void) -> Outcome {
    do throws(LinuxError) {
      try body()
      return .works
    } catch {
      return .fails("\(error)")
    }
  }

  /// libbpf's own functions answer with the negative number, system calls with -1 and errno.
  private static func check(_ call: String, _ result: CInt) throws(LinuxError) {
    if result < 0 { throw LinuxError(call: call, errno: result == -1 ? errno : -result) }
  }

  private static func load(
    _ kind: bpf_prog_type, _ code: [bpf_insn], attach: UInt32 = 0
  ) throws(LinuxError) -> OwnedDescriptor {
    let number = unsafe cbpf_program_load(kind, attach, code, code.count)
    try check("bpf_prog_load", number)
    return OwnedDescriptor(adopting: number)
  }

  private static let exit = instruction(code: 0x95)
  private static let accept = [moveImmediate(0), exit]
  /// Reads `ingress_ifindex` and passes.
  private static let readsIngressInterface = [
    instruction(code: 0x61, source: 1, offset: Int16(cbpf_ingress_interface_offset())),
    moveImmediate(1), exit,
  ]

  private static func moveImmediate(_ value: Int32) -> bpf_insn {
    var move = instruction(code: 0xb7)
    move.imm = value
    return move
  }

  private static func instruction(
    code: UInt8, source: UInt8 = 0, offset: Int16 = 0
  ) -> bpf_insn {
    var instruction = bpf_insn()
    instruction.code = code
    instruction.src_reg = source
    instruction.off = offset
    return instruction
  }
}
