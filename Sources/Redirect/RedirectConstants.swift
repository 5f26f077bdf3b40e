import CBPF

/// Numbers that the kernel's half, ztunnel and operators see; `redirect_abi.h` has each once.
public enum RedirectConstants {
  /// What packets that come back through lo carry, in the bits of `markMask`.
  public static let mark = UInt32(REDIRECT_MARK)
  public static let markMask = UInt32(REDIRECT_MARK_MASK)
  /// The route table and rule priority that keep marked packets inside the pod.
  public static let routeTable = UInt32(REDIRECT_ROUTE_TABLE)
  public static let rulePriority = UInt32(REDIRECT_RULE_PRIORITY)
  /// Local ports for connections towards applications; no client may use one as its own.
  public static let reservedPorts =
    UInt16(REDIRECT_RESERVED_PORT_FIRST)...UInt16(REDIRECT_RESERVED_PORT_LAST)
  public static let hbonePort = UInt16(REDIRECT_HBONE_PORT)
  /// Part of every pin's path: two versions never share a map.
  public static let abiVersion = Int(REDIRECT_ABI_VERSION)
  /// Where bpffs is, and where it is mounted when it is not.
  public static let bpfFileSystem = "/sys/fs/bpf"
}

/// Every bound of the redirection, by name.
public enum RedirectLimit {
  public static let agentCgroups = Int(REDIRECT_AGENT_CGROUPS_MAX)
  /// Probe connections remembered per node; the oldest give way.
  public static let probeFlows = Int(REDIRECT_PROBE_FLOWS_MAX)
  /// Enrolled pods of a node.
  public static let namespaces = Int(REDIRECT_NAMESPACES_MAX)
  public static let addressesPerPod = Int(REDIRECT_LOCAL_ADDRESSES_MAX)
  /// Connections of a pod that may live on while it is enrolled or released; the rest is cut.
  public static let keptConnections = Int(REDIRECT_KEPT_CONNECTIONS_MAX)
  /// Those that may come up between the moment a pod's are counted and the moment it is captured.
  public static let keptReserve = 1_024
  /// How often a release begins anew because more came up than there was room for.
  public static let keptAttempts = 3
  public static let interfacesPerPod = Int(REDIRECT_INTERFACES_MAX)
  /// Bytes of a namespace's path that are kept for `uninstall`; a longer one is found by its inode.
  public static let namespacePathBytes = Int(REDIRECT_NAMESPACE_PATH_MAX) - 1
  /// Bytes of a pod's or node's name in bpffs, after escaping.
  public static let pinNameBytes = 255
}
