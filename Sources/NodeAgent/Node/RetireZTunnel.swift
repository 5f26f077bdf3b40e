import Linux
import Logging

/// Ends a ztunnel that an earlier node agent of this node ran in another cgroup than now's.
///
/// Nobody would look after it, and its packets would not pass any more: a new one takes its place.
func retireZTunnel(of settings: RunSettings) async throws {
  let root = try ControlGroup.root().path
  let ownNode = "\(root)/skein/\(settings.node)"
  // Somebody else's ztunnel is in none of ours.
  let current =
    settings.isZTunnelExternal ? "" : settings.ztunnelCgroup ?? "\(ownNode)/ztunnel"
  var former: Set<String> = ["\(ownNode)/ztunnel"]
  if File.exists(settings.cgroupFile) { former.insert(try File.readText(settings.cgroupFile)) }
  for path in former where path != current && path.hasPrefix(root + "/") && Directory.exists(path) {
    let group = try ControlGroup(path: path)
    let processes = try group.processes()
    // It was for ztunnel alone; one that holds us is used for other things now.
    guard !processes.contains(CurrentProcess.id) else { continue }
    if !processes.isEmpty {
      Logger(label: "node").warning(
        "ending the ztunnel of another cgroup", metadata: ["cgroup": "\(path)"])
      try group.kill()
    }
    guard path == "\(ownNode)/ztunnel" else { continue }
    try await removeControlGroups([group, try ControlGroup(path: ownNode)])
  }
  if settings.isZTunnelExternal {
    try File.remove(settings.cgroupFile)
  } else {
    try File.replace(settings.cgroupFile, with: Array(current.utf8))
  }
}
