public import MeshModel

/// The identities this node needs: one for each service account that runs in an enrolled pod here.
public struct IdentityDemand: Hashable, Sendable {
  public enum Change: Hashable, Sendable {
    case needed(SPIFFEID)
    case notNeeded(SPIFFEID)
  }

  private var identityByPod: [String: SPIFFEID] = [:]
  private var podCounts: [SPIFFEID: Int] = [:]

  public init() {}

  public var identities: Set<SPIFFEID> { Set(podCounts.keys) }

  public func identity(ofPod uid: String) -> SPIFFEID? { identityByPod[uid] }

  /// The pod has this identity from now on; nil when it left or has none.
  ///
  /// What is newly needed comes first, so that nothing two pods share is dropped and made again.
  public mutating func setIdentity(_ identity: SPIFFEID?, ofPod uid: String) -> [Change] {
    let former = identityByPod[uid]
    if former == identity { return [] }
    identityByPod[uid] = identity
    var changes: [Change] = []
    if let identity {
      let count = podCounts[identity, default: 0] + 1
      podCounts[identity] = count
      if count == 1 { changes.append(.needed(identity)) }
    }
    if let former, let count = podCounts[former] {
      podCounts[former] = count == 1 ? nil : count - 1
      if count == 1 { changes.append(.notNeeded(former)) }
    }
    return changes
  }
}
