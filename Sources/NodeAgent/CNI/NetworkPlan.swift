import CNI

/// What a runtime's folder of networks holds, as far as we may look at it.
struct NetworkDirectory: Hashable, Sendable {
  enum Entry: Hashable, Sendable {
    case file([UInt8])
    /// No plain file, or one that cannot be read: left alone.
    case unusable(reason: String)
  }

  /// By name: networks, and what we keep beside them.
  var entries: [String: Entry]

  static let suffix = ".skein-saved"

  /// Where a file is kept as it was; no runtime takes a file of this name.
  static func savedName(_ name: String) -> String { name + suffix }

  static func concerns(_ name: String) -> Bool {
    let kept = name.hasSuffix(suffix) ? String(name.dropLast(suffix.count)) : name
    return NetworkList.isNetwork(kept)
  }

  var networks: [String] { entries.keys.filter(NetworkList.isNetwork).sorted() }

  fileprivate func hasSaved(_ name: String) -> Bool {
    entries[NetworkDirectory.savedName(name)] != nil
  }

  fileprivate func saved(_ name: String) -> [UInt8]? {
    guard case .file(let bytes) = entries[NetworkDirectory.savedName(name)] else { return nil }
    return bytes
  }

  /// The single network that a list was made of by us.
  fileprivate func origin(of list: String) -> String? {
    if hasSaved(list) { return nil }
    let base = list.dropLast(".conflist".count)
    return ["\(base).conf", "\(base).json"].first(where: hasSaved)
  }
}

/// One change in that folder; a runtime that looks in between finds a network all the same.
enum NetworkStep: Hashable, Sendable {
  /// Puts a whole file into place, with the access of another.
  case write(String, [UInt8], like: String)
  case rename(String, to: String)
  case remove(String)
}

struct NetworkPlan: Hashable, Sendable {
  /// The file a runtime takes; nil: there is no network yet.
  var chosen: String?
  var steps: [NetworkStep] = []
  /// Why the file is left alone.
  var problems: [String] = []
}

// MARK: In

/// Puts our plugin at the end of the list a runtime takes, and takes it out of every other.
func chainPlan(_ directory: NetworkDirectory, _ plugin: JSONValue) -> NetworkPlan {
  guard let chosen = NetworkList.chosen(among: directory.networks) else { return NetworkPlan() }
  var plan = NetworkPlan(chosen: chosen)
  let target = NetworkList.listName(chosen)
  for name in directory.networks where name != chosen && name != target {
    plan.take(out: name, of: directory)
  }
  guard let (bytes, list) = plan.read(chosen, of: directory) else { return plan }
  guard list.hasOthers else {
    plan.problems.append("\(chosen) makes no network; put another plugin before skein-cni")
    return plan
  }
  var chained = list
  chained.add(plugin)
  if chosen == target {
    guard list.presence(of: plugin) != .present else { return plan }
    if !list.hasOurs {
      plan.steps.append(.write(NetworkDirectory.savedName(chosen), bytes, like: chosen))
    }
    plan.steps.append(.write(chosen, chained.bytes, like: chosen))
    return plan
  }
  guard directory.entries[target] == nil || directory.isMade(target) else {
    plan.problems.append("both \(chosen) and \(target) are there; remove the one not in use")
    return plan
  }
  // The single network is taken while both are there.
  plan.steps.append(.write(target, chained.bytes, like: chosen))
  plan.steps.append(.rename(chosen, to: NetworkDirectory.savedName(chosen)))
  return plan
}

extension NetworkDirectory {
  /// Whether a list is of our making, so that it may be made anew.
  fileprivate func isMade(_ name: String) -> Bool {
    guard !hasSaved(name), case .file(let bytes) = entries[name] else { return false }
    do throws(NetworkListProblem) {
      return try NetworkList(reading: bytes).hasOurs
    } catch {
      return false
    }
  }
}

// MARK: Out

/// Leaves every file as it was before our plugin came, other changes kept.
func unchainPlan(_ directory: NetworkDirectory) -> NetworkPlan {
  var plan = NetworkPlan(chosen: NetworkList.chosen(among: directory.networks))
  for name in directory.networks { plan.take(out: name, of: directory) }
  for name in directory.entries.keys.sorted() where name.hasSuffix(NetworkDirectory.suffix) {
    let kept = String(name.dropLast(NetworkDirectory.suffix.count))
    let isDone = plan.steps.contains { $0 == .remove(name) || $0 == .rename(name, to: kept) }
    guard !isDone, !plan.problems.contains(where: { $0.hasPrefix("\(kept):") }) else { continue }
    // A single network whose list somebody removed comes back; a list that is gone stays gone.
    let isSingle = !kept.hasSuffix(".conflist") && directory.entries[kept] == nil
    plan.steps.append(isSingle ? .rename(name, to: kept) : .remove(name))
  }
  return plan
}

extension NetworkPlan {
  /// Takes our plugin out of one file.
  fileprivate mutating func take(out name: String, of directory: NetworkDirectory) {
    guard name.hasSuffix(".conflist"), case .file(let bytes) = directory.entries[name],
      String(decoding: bytes, as: UTF8.self).contains(NetworkList.pluginType),
      let (_, list) = read(name, of: directory), list.hasOurs
    else { return }
    if let origin = directory.origin(of: name) {
      let kept = NetworkDirectory.savedName(origin)
      // One that somebody wrote meanwhile is newer than what we kept.
      let isNewer = directory.entries[origin] != nil
      steps.append(isNewer ? .remove(kept) : .rename(kept, to: origin))
      steps.append(.remove(name))
      return
    }
    guard list.hasOthers else {
      problems.append("\(name): only skein-cni is in it; remove the file")
      return
    }
    var rest = list
    rest.remove()
    steps.append(.write(name, directory.original(of: name, meaning: rest), like: name))
    if directory.hasSaved(name) { steps.append(.remove(NetworkDirectory.savedName(name))) }
  }

  fileprivate mutating func read(
    _ name: String, of directory: NetworkDirectory
  ) -> ([UInt8], NetworkList)? {
    switch directory.entries[name] {
    case nil: return nil
    case .unusable(let reason):
      problems.append("\(name): \(reason); left alone")
      return nil
    case .file(let bytes):
      do throws(NetworkListProblem) {
        return (bytes, try NetworkList(reading: bytes))
      } catch {
        problems.append("\(name): \(error)")
        return nil
      }
    }
  }
}

extension NetworkDirectory {
  /// The file as it was written, when that still says the same as what is left now.
  fileprivate func original(of name: String, meaning rest: NetworkList) -> [UInt8] {
    guard let bytes = saved(name) else { return rest.bytes }
    do throws(NetworkListProblem) {
      return try NetworkList(reading: bytes) == rest ? bytes : rest.bytes
    } catch {
      return rest.bytes
    }
  }
}
