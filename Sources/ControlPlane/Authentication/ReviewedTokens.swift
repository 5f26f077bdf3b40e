import ControlAPI
import KubernetesClient
import Linux
import MeshCompiler
import MeshModel
import Synchronization

/// Service account tokens of a cluster, that its API server vouches for (TokenReview).
final class ReviewedTokens: Authenticator {
  private struct Known: Sendable {
    var caller: Caller
    var at: Instant
  }

  private let client: KubernetesClient
  private let audience: String
  private let trustDomain: String
  /// The accounts of node agents, `namespace/name`; any other account is a workload.
  private let nodeAccounts: Set<String>
  /// How long a review is remembered.
  private let age: Duration
  /// Where a pod runs, as the mesh has it now.
  private let nodeOfPod: @Sendable (PodReference) -> String?
  private let known = Mutex<[String: Known]>([:])

  init(
    client: KubernetesClient, audience: String, trustDomain: String, nodeAccounts: Set<String>,
    age: Duration = Limit.reviewAge, nodeOfPod: @escaping @Sendable (PodReference) -> String?
  ) {
    self.client = client
    self.audience = audience
    self.trustDomain = trustDomain
    self.nodeAccounts = nodeAccounts
    self.age = age
    self.nodeOfPod = nodeOfPod
  }

  func caller(of peer: Peer, at now: WallTime) async throws(AuthenticationFailure) -> Caller? {
    guard let token = peer.bearerToken else { return nil }
    guard token.utf8.count <= KeySet.Limit.tokenBytes else {
      throw .malformedToken(
        reason: "\(token.utf8.count) bytes, at most \(KeySet.Limit.tokenBytes)")
    }
    let start = MonotonicClock.now()
    if let caller = recent(token, at: start) { return caller }
    let review: TokenReview?
    do throws(KubernetesError) {
      review = try await client.review(token: token, audiences: [audience])
    } catch {
      throw .noReview(reason: "\(error)")
    }
    guard let review else { throw .refusedByReview }
    let caller = Caller(
      role: try await role(of: review), proof: .tokenReview,
      validUntil: WallTime(
        secondsSinceEpoch: now.secondsSinceEpoch
          + Double(Limit.reviewValidity.components.seconds)))
    remember(caller, token, at: start)
    return caller
  }

  private func role(of review: TokenReview) async throws(AuthenticationFailure) -> Caller.Role {
    guard let account = review.account else { throw .nodeUnknown(subject: review.username) }
    guard nodeAccounts.contains("\(account.namespace)/\(account.name)") else {
      return .workload(
        SPIFFEID(
          trustDomain: trustDomain, namespace: account.namespace, serviceAccount: account.name))
    }
    // Without a pod or a node in it the token could be anybody's, so it is of no node.
    if let node = review.node, isNodeName(node) { return .node(node) }
    guard let pod = review.pod,
      let node = try await node(
        of: PodReference(namespace: account.namespace, name: pod.name, uid: pod.uid)),
      isNodeName(node)
    else { throw .nodeUnknown(subject: review.username) }
    return .node(node)
  }

  /// From the mesh; a pod so new that the mesh has not got it is asked for.
  private func node(of pod: PodReference) async throws(AuthenticationFailure) -> String? {
    if let node = nodeOfPod(pod) { return node }
    do throws(KubernetesError) {
      let object = try await client.object(
        Resource(plural: "pods", kind: "Pod"), namespace: pod.namespace, name: pod.name)
      guard let object, object["metadata"]?["uid"]?.text == pod.uid else { return nil }
      return object["spec"]?["nodeName"]?.text
    } catch {
      throw .noReview(reason: "\(error)")
    }
  }

  private func recent(_ token: String, at now: Instant) -> Caller? {
    known.withLock { known in
      guard let found = known[token], now.since(found.at) < age else { return nil }
      return found.caller
    }
  }

  private func remember(_ caller: Caller, _ token: String, at now: Instant) {
    known.withLock { known in
      if known.count >= Limit.reviews {
        known = known.filter { now.since($0.value.at) < age }
      }
      if known.count < Limit.reviews { known[token] = Known(caller: caller, at: now) }
    }
  }
}
