public import MeshModel

/// Facts whose agreement proves that a pod's capture is in place and is this pod's.
public struct RedirectionEvidence: Hashable, Sendable {
  /// The namespace given now, and the one the pins were made for.
  public var namespaceInode: UInt64
  public var namespaceCookie: UInt64
  public var pinnedInode: UInt64
  public var pinnedCookie: UInt64
  /// What the kernel says the lookup program hangs on.
  public var lookupInode: UInt64
  /// Interfaces of the namespace without our egress program.
  public var openInterfaces: [String]
  /// Addresses the model gives the pod and the namespace lacks.
  public var missingAddresses: [IPAddress]
  /// Addresses of the namespace that the kernel's half does not know: ztunnel's dials would loop.
  public var unknownAddresses: [IPAddress]
  /// Empty slots of the sockmap that should hold a listener, counted.
  public var missingListeners: Int
  /// Families whose DNS queries ztunnel does not get, counted.
  ///
  /// No objection: such queries go to their own resolver.
  public var missingDNSSockets: Int
  /// Rules, routes or sysctls that are not as they must be, each in words.
  public var missingSettings: [String]

  public init(
    namespaceInode: UInt64, namespaceCookie: UInt64, pinnedInode: UInt64, pinnedCookie: UInt64,
    lookupInode: UInt64, openInterfaces: [String] = [], missingAddresses: [IPAddress] = [],
    unknownAddresses: [IPAddress] = [], missingListeners: Int = 0,
    missingDNSSockets: Int = 0, missingSettings: [String] = []
  ) {
    self.namespaceInode = namespaceInode
    self.namespaceCookie = namespaceCookie
    self.pinnedInode = pinnedInode
    self.pinnedCookie = pinnedCookie
    self.lookupInode = lookupInode
    self.openInterfaces = openInterfaces
    self.missingAddresses = missingAddresses
    self.unknownAddresses = unknownAddresses
    self.missingListeners = missingListeners
    self.missingDNSSockets = missingDNSSockets
    self.missingSettings = missingSettings
  }

  /// What disagrees, each in words; empty when capture is in place.
  public var objections: [String] {
    var objections: [String] = []
    if namespaceInode != pinnedInode {
      objections.append("the namespace is \(namespaceInode), the pins are for \(pinnedInode)")
    } else if namespaceCookie != pinnedCookie {
      objections.append(
        "namespace \(namespaceInode) was made anew: cookie \(namespaceCookie), not \(pinnedCookie)")
    }
    if lookupInode != namespaceInode {
      objections.append("the lookup program hangs on namespace \(lookupInode)")
    }
    objections += openInterfaces.map { "interface \($0) has no egress program" }
    objections += missingAddresses.map { "address \($0) is on no interface" }
    objections += unknownAddresses.map { "address \($0) is not in local_addresses" }
    if missingListeners > 0 { objections.append("\(missingListeners) listeners are missing") }
    return objections + missingSettings
  }
}
