import CertificateAuthority
import FoundationEssentials
import KubernetesClient
import Linux
import Logging
import MeshCompiler
import MeshModel

/// Why a Secret gives no authority; the last good one stays in force.
enum AuthoritySecretError: Error, Hashable, CustomStringConvertible {
  /// Nobody is told what is in it: only which field it is about.
  case unusable(secret: ObjectName, field: String, reason: String)
  case gone(ObjectName)
  case notFollowed(ObjectName, reason: String)

  var description: String {
    switch self {
    case .unusable(let secret, let field, let reason):
      "Secret \(secret): \(field): \(reason); expected type kubernetes.io/tls with tls.crt, "
        + "tls.key and, for more roots, ca.crt"
    case .gone(let secret):
      "Secret \(secret) is gone, the last good authority stays in force: put it back, "
        + "or restart all replicas for a new root"
    case .notFollowed(let secret, let reason):
      "Secret \(secret): changes of it are not seen: \(reason)"
    }
  }
}

/// The certificate authority in a Secret of the cluster: read, made once where there is none, and
/// followed.
struct AuthoritySecret: Sendable {
  let client: KubernetesClient
  let name: ObjectName
  let trustDomain: String

  private var place: String { "Secret \(name)" }

  /// What it holds.
  ///
  /// Of several that find none and make one, all get what the first one made.
  func read() async throws -> AuthorityTexts {
    if let found = try await client.object(.secrets, namespace: name.namespace, name: name.name) {
      return try texts(of: found)
    }
    let new = try AuthorityTexts.made(
      place: place, trustDomain: trustDomain, now: WallClock.now())
    return try texts(
      of: try await client.createIfAbsent(
        .secrets, namespace: name.namespace, name: name.name,
        [
          "metadata": [
            "name": .text(name.name), "namespace": .text(name.namespace),
            "labels": ["app.kubernetes.io/managed-by": "skein"],
          ],
          "type": "kubernetes.io/tls",
          "data": [
            "tls.crt": .text(base64(new.certificate)), "tls.key": .text(base64(new.key)),
            "ca.crt": .text(base64(new.roots ?? "")),
          ],
        ]))
  }

  /// The same, for a start beside an API server that is starting too.
  func read(
    patience: Duration = Limit.authorityPatience, pause: Duration = Limit.authorityPause,
    logger: Logger
  ) async throws -> AuthorityTexts {
    let start = MonotonicClock.now()
    var said: KubernetesError?
    while true {
      do {
        return try await read()
      } catch let error as KubernetesError where MonotonicClock.now().since(start) < patience {
        if error != said {
          logger.warning("authority not read yet", metadata: ["reason": "\(place): \(error)"])
        }
        said = error
      }
      try await Task.sleep(for: pause)
    }
  }

  /// Tells what it holds, again after each change, until the task is cancelled.
  func follow(
    _ deliver: @escaping @Sendable (Result<AuthorityTexts, AuthoritySecretError>) async -> Void
  ) async {
    let filter = ResourceFilter(
      namespace: name.namespace, fields: "metadata.name=\(name.name)")
    await ResourceWatch(client, .secrets, Self.selection, filter: filter).run { changes, state in
      if !state.isSynced, let problem = state.problem {
        await deliver(.failure(.notFollowed(name, reason: problem)))
      }
      for change in changes { await deliver(outcome(change)) }
      if state.isSynced, state.objects == 0 { await deliver(.failure(.gone(name))) }
    }
  }

  private static let selection = FieldSelection.fields([
    "metadata": .metadata, "data": .words("tls.crt tls.key ca.crt"),
  ])

  private func outcome(
    _ change: Reflector.Change
  ) -> Result<AuthorityTexts, AuthoritySecretError> {
    switch change {
    case .applied(let object):
      do throws(AuthoritySecretError) {
        return .success(try texts(of: object.root))
      } catch {
        return .failure(error)
      }
    case .removed: return .failure(.gone(name))
    case .refused(let object):
      return .failure(.unusable(secret: name, field: "data", reason: object.reason))
    }
  }

  func texts(of secret: ManifestValue) throws(AuthoritySecretError) -> AuthorityTexts {
    let data = secret["data"]
    func text(_ field: String) throws(AuthoritySecretError) -> String? {
      guard let value = data?[field]?.text, !value.isEmpty else { return nil }
      guard let bytes = Data(base64Encoded: value) else {
        throw .unusable(secret: name, field: field, reason: "it is not base64")
      }
      return String(decoding: bytes, as: UTF8.self)
    }
    guard let certificate = try text("tls.crt") else {
      throw .unusable(secret: name, field: "tls.crt", reason: "there is none")
    }
    guard let key = try text("tls.key") else {
      throw .unusable(secret: name, field: "tls.key", reason: "there is none")
    }
    return AuthorityTexts(
      place: place, certificate: certificate, key: key, roots: try text("ca.crt"))
  }
}

private func base64(_ text: String) -> String { Data(text.utf8).base64EncodedString() }
