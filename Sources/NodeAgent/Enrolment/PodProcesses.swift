import Linux

/// Processes by the network namespace they are in, as /proc shows them at one moment.
struct PodProcesses: Sendable {
  private var byNamespace: [UInt64: [PodProcess]] = [:]

  /// Looks at every process for those in the given namespaces; one that ends meanwhile is left out.
  init(in namespaces: Set<UInt64>, except processID: Int32?) throws(LinuxError) {
    let root = try ControlGroup.root().path
    for entry in try Directory.entries("/proc") {
      guard let id = Int32(entry), id != processID else { continue }
      do throws(LinuxError) {
        let inode = try NetworkNamespace.open(processID: id).inode()
        guard namespaces.contains(inode) else { continue }
        let group = try ControlGroup.ofProcess(id).path
        let relative = String(group.dropFirst(root.count))
        byNamespace[inode, default: []].append(
          PodProcess(processID: id, cgroup: relative.isEmpty ? "/" : relative))
      } catch {
        // It ended, or is a kernel thread's leftover: no process of the pod to look at.
        continue
      }
    }
  }

  subscript(namespace: UInt64) -> [PodProcess] { byNamespace[namespace] ?? [] }
}
