public import Linux

/// Why the kernel's half could not be brought to what it should be.
///
/// Each description names what to look at next.
public indirect enum RedirectError: Error, Hashable, Sendable {
  /// bpffs is not there and could not be mounted.
  case noBPFFileSystem(path: String, LinuxError)
  /// The kernel refused a program; `log` is the end of what the verifier said.
  case load(object: String, LinuxError, log: String)
  case missing(what: String, object: String)
  /// A pin could not be made, opened, listed or removed.
  case pin(path: String, LinuxError)
  case map(name: String, LinuxError)
  case attach(hook: String, LinuxError)
  /// A rule, route, sysctl or interface inside the pod's namespace.
  case namespace(step: String, LinuxError)
  /// No pins under this UID.
  case notEnrolled(uid: String)
  /// The pins belong to another namespace than the one given: release the pod first.
  case otherNamespace(uid: String, pinned: UInt64, given: UInt64)
  /// The namespace is the node agent's own: capture would take the whole node.
  case ownNamespace(uid: String)
  /// The model gives the pod an address that none of its interfaces has.
  case addressMissing(uid: String, address: String)
  case tooMany(what: String, count: Int, limit: Int)
  case nameTooLong(String)
  /// A step failed, and so did taking the earlier ones away again: release the pod.
  case notUndone(RedirectError, then: RedirectError)
}

extension RedirectError: CustomStringConvertible {
  public var description: String {
    switch self {
    case .noBPFFileSystem(let path, let error):
      "no bpffs at \(path) (\(error)): run as root with CAP_SYS_ADMIN, or "
        + "`mount -t bpf bpf \(path)`; enrolment needs it to fail closed"
    case .load(let object, let error, let log):
      "the kernel refused program \(object) (\(error)): see `node-agent check --system`"
        + (log.isEmpty ? "" : "\n\(log)")
    case .missing(let what, let object):
      "\(object) has no \(what): it is not of this build, run `make bpf` and build again"
    case .pin(let path, let error):
      "pin \(path): \(error); is bpffs writable, and no other node agent of this name running?"
    case .map(let name, let error):
      "map \(name): \(error)"
    case .attach(let hook, let error):
      "attach \(hook): \(error); see `node-agent check --system`"
    case .namespace(let step, let error):
      "\(step): \(error); needs CAP_NET_ADMIN and CAP_SYS_ADMIN"
    case .notEnrolled(let uid):
      "pod \(uid) is not enrolled on this node"
    case .otherNamespace(let uid, let pinned, let given):
      "pod \(uid) is enrolled in namespace \(pinned), not \(given): release it first"
    case .ownNamespace(let uid):
      "pod \(uid) is in the node's own network namespace (hostNetwork), which is never enrolled"
    case .addressMissing(let uid, let address):
      "pod \(uid): \(address) is on none of its interfaces; compare status.podIPs with `ip address`"
    case .tooMany(let what, let count, let limit):
      "\(count) \(what), of which \(limit) are allowed"
    case .nameTooLong(let name):
      "name \(name) is longer than \(RedirectLimit.pinNameBytes) bytes when escaped"
    case .notUndone(let first, let second):
      "\(first); taking the earlier steps away failed too: \(second); release the pod"
    }
  }
}
