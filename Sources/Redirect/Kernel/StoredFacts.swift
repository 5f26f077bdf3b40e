import CBPF

/// What a pod's pinned `facts` say, in Swift's terms.
struct StoredFacts: Hashable, Sendable {
  /// An interface with our clsact filter; tcx links tell theirs themselves.
  struct FilteredInterface: Hashable, Sendable {
    var index: UInt32
    /// Whether the qdisc is ours to remove.
    var madeClsact: Bool
  }

  var namespaceInode: UInt64
  var namespaceCookie: UInt64
  /// Nil when it had none, or one too long to keep.
  var namespacePath: String?
  var attachment: EgressHook
  var fingerprint: UInt64
  var isComplete = false
  /// What each changed sysctl was before.
  var sysctls: [RedirectionSysctl: Int32] = [:]
  var interfaces: [FilteredInterface] = []
}

extension StoredFacts {
  init(_ stored: redirect_facts) {
    namespaceInode = stored.namespace_inode
    namespaceCookie = stored.namespace_cookie
    attachment = stored.attachment == REDIRECT_CLSACT.rawValue ? .clsact : .tcx
    fingerprint = stored.object_fingerprint
    isComplete = stored.is_complete != 0
    let before = [
      stored.sysctl_before.0, stored.sysctl_before.1, stored.sysctl_before.2,
      stored.sysctl_before.3,
    ]
    for sysctl in RedirectionSysctl.allCases
    where before[sysctl.rawValue] != REDIRECT_SYSCTL_UNTOUCHED {
      sysctls[sysctl] = before[sysctl.rawValue]
    }
    let path = unsafe withUnsafeBytes(of: stored.namespace_path) { bytes in
      unsafe String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
    }
    namespacePath = path.isEmpty ? nil : path
    interfaces = unsafe withUnsafeBytes(of: stored.interfaces) { bytes in
      unsafe bytes.bindMemory(to: redirect_interface.self).prefix(Int(stored.interface_count))
        .map { FilteredInterface(index: $0.index, madeClsact: $0.made_clsact != 0) }
    }
  }

  /// Precondition: no more interfaces than the layout holds.
  var stored: redirect_facts {
    precondition(interfaces.count <= RedirectLimit.interfacesPerPod)
    var stored = redirect_facts()
    stored.namespace_inode = namespaceInode
    stored.namespace_cookie = namespaceCookie
    stored.attachment =
      switch attachment {
      case .tcx: REDIRECT_TCX.rawValue
      case .clsact: REDIRECT_CLSACT.rawValue
      }
    stored.object_fingerprint = fingerprint
    stored.is_complete = isComplete ? 1 : 0
    func before(_ sysctl: RedirectionSysctl) -> Int32 {
      sysctls[sysctl] ?? REDIRECT_SYSCTL_UNTOUCHED
    }
    stored.sysctl_before = (
      before(.fwmarkReflect4), before(.fwmarkReflect6), before(.acceptLocal), before(.acceptMark)
    )
    stored.interface_count = UInt32(interfaces.count)
    unsafe withUnsafeMutableBytes(of: &stored.interfaces) { bytes in
      let slots = unsafe bytes.bindMemory(to: redirect_interface.self)
      for (index, interface) in interfaces.enumerated() {
        unsafe slots[index] = redirect_interface(
          index: interface.index, made_clsact: interface.madeClsact ? 1 : 0)
      }
    }
    if let path = namespacePath, path.utf8.count <= RedirectLimit.namespacePathBytes {
      unsafe withUnsafeMutableBytes(of: &stored.namespace_path) { bytes in
        unsafe bytes.copyBytes(from: path.utf8)
      }
    }
    return stored
  }
}
