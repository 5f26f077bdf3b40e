import CNI
import MeshCompiler
import MeshModel

/// Where the runtime put a pod, as it said in a CNI call.
struct CalledPod: Hashable, Sendable {
  var containerID: String
  /// Of the network namespace.
  var path: String
  var inode: UInt64
  /// Of the call's result.
  var addresses: [IPAddress]
  /// What the pod's status said at the call: of an earlier sandbox, when the result says otherwise.
  var formerAddresses: [IPAddress]
}

/// The calls that are in force, by the pods' uids.
///
///     {"version":1,"pods":[{"uid":…,"container":…,"path":…,"inode":"…","addresses":[…],"former":[…]}]}
struct CalledPods: Hashable, Sendable {
  private(set) var pods: [String: CalledPod] = [:]

  /// False when there are too many; those that are placed nowhere any more go first.
  mutating func note(_ call: CalledPod, of uid: String, placed: Set<String>) -> Bool {
    if pods[uid] == nil, pods.count >= Limit.calledPods {
      pods = pods.filter { placed.contains($0.key) }
      guard pods.count < Limit.calledPods else { return false }
    }
    pods[uid] = call
    return true
  }

  /// Whether anything was known of the container; a later one of the same pod stays.
  mutating func forget(container: String) -> Bool {
    let before = pods.count
    pods = pods.filter { $0.value.containerID != container }
    return pods.count != before
  }

  /// Keeps what still leads to the namespace it led to.
  mutating func keep(where inode: (String) -> UInt64?) {
    pods = pods.filter { inode($0.value.path) == $0.value.inode }
  }

  /// The placement with what the manifest leaves open.
  func completed(_ placement: PodPlacement) -> PodPlacement {
    guard let call = pods[placement.uid] else { return placement }
    var placement = placement
    if placement.networkNamespace == nil { placement.networkNamespace = call.path }
    if placement.addresses.isEmpty || placement.addresses == call.formerAddresses {
      placement.addresses = call.addresses
    }
    if placement.enrolment == .notEnrolled(.noAddress), !placement.addresses.isEmpty {
      placement.enrolment = .enrolled
    }
    return placement
  }
}

// MARK: On disk

enum CalledPodsProblem: Error, Hashable, CustomStringConvertible {
  case json(JSONProblem)
  case version
  case pod(Int)

  var description: String {
    switch self {
    case .json(let problem): problem.description
    case .version: "its version is not 1: another build of node-agent wrote it"
    case .pod(let index): "its pod \(index) is none"
    }
  }
}

extension CalledPods {
  init(reading bytes: [UInt8]) throws(CalledPodsProblem) {
    let json: JSONValue
    do throws(JSONProblem) {
      json = try JSONValue(reading: bytes)
    } catch {
      throw .json(error)
    }
    guard json["version"] == .number("1"), let items = json["pods"]?.items else { throw .version }
    for (index, item) in items.prefix(Limit.calledPods).enumerated() {
      guard let uid = item["uid"]?.text, let call = CalledPod(item) else { throw .pod(index) }
      pods[uid] = call
    }
  }

  var bytes: [UInt8] {
    let items = pods.sorted { $0.key < $1.key }.map { uid, call in
      JSONValue.object([JSONValue.Member("uid", .string(uid))] + call.members)
    }
    let json = JSONValue.object([
      .init("version", .number("1")), .init("pods", .array(items)),
    ])
    return Array("\(json)\n".utf8)
  }
}

extension CalledPod {
  fileprivate init?(_ json: JSONValue) {
    guard let containerID = json["container"]?.text, let path = json["path"]?.text,
      let inode = json["inode"]?.text.flatMap(UInt64.init),
      let addresses = CalledPod.addresses(json["addresses"]),
      let former = CalledPod.addresses(json["former"])
    else { return nil }
    self.init(
      containerID: containerID, path: path, inode: inode, addresses: addresses,
      formerAddresses: former)
  }

  private static func addresses(_ json: JSONValue?) -> [IPAddress]? {
    guard let items = json?.items else { return nil }
    let addresses = items.compactMap { $0.text.flatMap(IPAddress.init) }
    return addresses.count == items.count ? addresses : nil
  }

  fileprivate var members: [JSONValue.Member] {
    let texts = { (addresses: [IPAddress]) in
      JSONValue.array(addresses.map { .string($0.description) })
    }
    return [
      .init("container", .string(containerID)), .init("path", .string(path)),
      .init("inode", .string("\(inode)")), .init("addresses", texts(addresses)),
      .init("former", texts(formerAddresses)),
    ]
  }
}
