import Glibc

/// One thing the redirection wants of the kernel, tried for real.
public struct KernelFeature: Hashable, Sendable {
  public enum Importance: String, Hashable, Sendable {
    /// Enrolment does not work without it.
    case required
    /// There is another way, or less is promised.
    case optional
  }

  public enum Outcome: Hashable, Sendable {
    case works
    /// The reason, for example `bpf_link_create: Invalid argument`.
    case fails(String)
  }

  public var name: String
  public var importance: Importance
  /// What it is for.
  public var purpose: String
  /// What happens without it.
  public var otherwise: String
  public var outcome: Outcome

  public var isWorking: Bool { outcome == .works }
}

/// What this machine's kernel lets us do, each by doing it on things of our own.
public struct KernelFeatures: Hashable, Sendable {
  public var features: [KernelFeature]

  /// Whether pods can be enrolled at all: everything required, and one of the two egress hooks.
  public var isSufficient: Bool {
    features.allSatisfy { $0.isWorking || $0.importance == .optional }
      && features.contains { $0.isWorking && KernelFeatures.egressHooks.contains($0.name) }
  }

  static let egressHooks: Set<String> = ["tcx", "clsact"]

  /// Tries everything; leaves nothing behind but a mounted bpffs.
  public static func probe() -> KernelFeatures {
    KernelFeatures(features: foundations() + hooks() + sockets() + settings())
  }

  private static func foundations() -> [KernelFeature] {
    [
      required(
        "bpffs", "keeps programs and maps when the node agent dies, so that pods stay closed",
        "no pod is enrolled", FeatureProbe.bpfFileSystem()),
      required(
        "cgroup2", "tells ztunnel's packets from the application's",
        "no pod is enrolled: mount -t cgroup2 cgroup2 /sys/fs/cgroup/unified",
        FeatureProbe.controlGroups()),
      required(
        "programs", "the redirection itself, through this kernel's verifier",
        "no pod is enrolled", FeatureProbe.programs()),
    ]
      + Capability.allCases.map { capability in
        KernelFeature(
          name: capability.name, importance: capability.importance, purpose: capability.purpose,
          otherwise: capability.otherwise, outcome: Capability.outcome(of: capability))
      }
  }

  private static func hooks() -> [KernelFeature] {
    [
      optional(
        "tcx", "loops a pod's packets by a pinned link; Linux 6.6",
        "clsact is used: a pod with CAP_NET_ADMIN can remove its own capture", FeatureProbe.tcx()),
      optional(
        "clsact", "the same on kernels before 6.6", "only tcx is left", FeatureProbe.clsact()),
      required(
        "sk_lookup", "gives connections to ztunnel, and tells lo by ingress_ifindex; Linux 5.17",
        "no pod is enrolled", FeatureProbe.socketLookup()),
      required(
        "sockmap", "holds ztunnel's listeners", "no pod is enrolled", FeatureProbe.socketMap()),
      optional(
        "packet guard",
        "denies enrolled pods PACKET_QDISC_BYPASS and AF_XDP, which write past tc",
        "a pod with CAP_NET_RAW can send packets that no program sees: drop that capability",
        FeatureProbe.packetGuard()),
      optional(
        "sockops", "knows the prober's connections; --probe-cgroup",
        "health checks of enrolled pods go through ztunnel", FeatureProbe.sockOperations()),
    ]
  }

  private static func sockets() -> [KernelFeature] {
    [
      required(
        "IP_TRANSPARENT", "keeps the client's address towards the application",
        "no inbound connection is delivered",
        FeatureProbe.socketOption(CInt(IPPROTO_IP), 19, 1)),
      optional(
        "IPv6", "enrols IPv6 addresses", "pods are enrolled with IPv4 alone", FeatureProbe.ipv6()),
      optional(
        "SO_NETNS_COOKIE", "tells a namespace from a later one of the same number; Linux 5.14",
        "pods are proven by the namespace's inode alone", FeatureProbe.namespaceCookie()),
      optional(
        "kTLS", "nothing yet: informational", "TLS stays in user space", FeatureProbe.kernelTLS()),
    ]
  }

  private static func settings() -> [KernelFeature] {
    [
      required(
        RedirectionSysctl.acceptLocal.name, "lets looped packets in through lo",
        "no pod is enrolled", FeatureProbe.sysctl(.acceptLocal)),
      required(
        RedirectionSysctl.fwmarkReflect4.name, "closed ports refuse at once",
        "no pod is enrolled: refusals would reach real clients",
        FeatureProbe.sysctl(.fwmarkReflect4)),
    ]
  }

  private static func required(
    _ name: String, _ purpose: String, _ otherwise: String, _ outcome: KernelFeature.Outcome
  ) -> KernelFeature {
    KernelFeature(
      name: name, importance: .required, purpose: purpose, otherwise: otherwise, outcome: outcome)
  }

  private static func optional(
    _ name: String, _ purpose: String, _ otherwise: String, _ outcome: KernelFeature.Outcome
  ) -> KernelFeature {
    KernelFeature(
      name: name, importance: .optional, purpose: purpose, otherwise: otherwise, outcome: outcome)
  }
}
