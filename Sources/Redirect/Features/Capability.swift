import Linux

/// A capability the node agent uses, by its bit in `CapEff`.
///
/// Source: linux/capability.h.
enum Capability: Int, CaseIterable {
  case netAdmin = 12
  case sysPtrace = 19
  case sysAdmin = 21
  case sysResource = 24

  var name: String {
    switch self {
    case .netAdmin: "CAP_NET_ADMIN"
    case .sysPtrace: "CAP_SYS_PTRACE"
    case .sysAdmin: "CAP_SYS_ADMIN"
    case .sysResource: "CAP_SYS_RESOURCE"
    }
  }

  var importance: KernelFeature.Importance {
    switch self {
    case .netAdmin, .sysAdmin: .required
    case .sysPtrace, .sysResource: .optional
    }
  }

  var purpose: String {
    switch self {
    case .netAdmin: "rules, routes, transparent sockets, programs on interfaces"
    case .sysAdmin: "enters pods' namespaces, loads and pins programs"
    case .sysPtrace: "opens a pod's namespace by the process of another user"
    case .sysResource: "raises the limit of descriptors above the hard limit"
    }
  }

  var otherwise: String {
    switch self {
    case .netAdmin, .sysAdmin: "no pod is enrolled"
    case .sysPtrace: "namespaces are given by path or found under /run/netns"
    case .sysResource: "the hard limit of descriptors is the limit"
    }
  }

  static func outcome(of capability: Capability) -> KernelFeature.Outcome {
    let status: String
    do throws(LinuxError) {
      status = try File.readText("/proc/thread-self/status")
    } catch {
      return .fails("\(error)")
    }
    guard let effective = effective(in: status) else { return .fails("no CapEff in status") }
    return effective >> UInt64(capability.rawValue) & 1 == 1
      ? .works : .fails("not in the effective set")
  }

  /// The mask after `CapEff:`; nil when there is none.
  static func effective(in status: String) -> UInt64? {
    for line in status.split(separator: "\n") {
      let fields = line.split { $0 == " " || $0 == "\t" }
      if fields.first == "CapEff:", fields.count == 2 { return UInt64(fields[1], radix: 16) }
    }
    return nil
  }
}
