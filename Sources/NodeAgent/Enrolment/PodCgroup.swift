/// Which pod a process belongs to, by the control groups that kubelet put it into.
///
/// kubelet's groups look the same everywhere below a directory of its own, by either of its drivers:
///
///     kubepods/[burstable|besteffort]/pod<uid>/<container>
///     kubepods.slice/[kubepods-burstable.slice/]kubepods-burstable-pod<u_i_d>.slice/<container>
///
/// The outermost such group counts: what a container makes below its own lends it no other name.
enum PodCgroup {
  /// The uids in `/proc/PID/cgroup`; one for a process of a pod, more when its hierarchies disagree.
  static func uids(in text: String) -> Set<String> {
    var uids: Set<String> = []
    for line in text.split(separator: "\n") {
      // `0::/kubepods/…`, or `4:memory:/kubepods/…`.
      let fields = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
      if fields.count == 3, let uid = uid(in: fields[2]) { uids.insert(uid) }
    }
    return uids
  }

  private static let bottom = "kubepods"
  private static let classes = ["burstable", "besteffort", "guaranteed"]

  /// Seen from another control group namespace a path begins with `..`, and its upper part is not
  /// told: then kubelet's directory may be missing.
  private static func uid(in path: Substring) -> String? {
    let steps = path.split(separator: "/")
    // What users make for themselves is below it.
    if steps.contains("user.slice") { return nil }
    let below = steps.drop { $0 == ".." }
    if below.count < steps.count, let uid = uid(below: below) { return uid }
    guard let index = below.firstIndex(where: isKubelets) else { return nil }
    return uid(below: below[(index + 1)...])
  }

  private static func uid(below steps: ArraySlice<Substring>) -> String? {
    guard let first = steps.first else { return nil }
    if let uid = uid(of: first) { return uid }
    guard isClass(first) else { return nil }
    return steps.dropFirst().first.flatMap(uid(of:))
  }

  /// `kubepods` and `kubepods.slice`; `kubelet-kubepods.slice` below a slice of kubelet's own.
  private static func isKubelets(_ step: Substring) -> Bool {
    step == bottom || step == "\(bottom).slice" || step.hasSuffix("-\(bottom).slice")
  }

  private static func isClass(_ step: Substring) -> Bool {
    classes.contains { step == $0 || isSlice(step, named: "\(bottom)-\($0)") }
  }

  private static func isSlice(_ step: Substring, named name: String) -> Bool {
    step == "\(name).slice" || step.hasSuffix("-\(name).slice")
  }

  private static func uid(of step: Substring) -> String? {
    guard step.hasSuffix(".slice") else {
      return step.hasPrefix("pod") ? checked(String(step.dropFirst(3))) : nil
    }
    let words = step.dropLast(".slice".count).split(
      separator: "-", omittingEmptySubsequences: false)
    guard let last = words.last, last.hasPrefix("pod") else { return nil }
    let above = words.dropLast()
    guard let end = above.last, end == bottom || classes.contains(String(end)),
      above.contains(Substring(bottom))
    else { return nil }
    // systemd takes a hyphen for a step down.
    return checked(String(last.dropFirst(3).map { $0 == "_" ? "-" : $0 }))
  }

  private static func checked(_ uid: String) -> String? {
    let isUID = uid.utf8.allSatisfy { byte in
      byte == 0x2d || (0x30...0x39).contains(byte) || (0x41...0x5a).contains(byte)
        || (0x61...0x7a).contains(byte)
    }
    return isUID && (1...63).contains(uid.utf8.count) ? uid : nil
  }
}
