public import MeshCompiler
import NIOHTTP1

extension KubernetesClient {
  /// How an object is changed.
  public enum Patch: String, Sendable {
    /// RFC 7396.
    case merge = "application/merge-patch+json"
    /// Server-side apply: made when it is not there; the fields named are ours from then on.
    case apply = "application/apply-patch+yaml"
  }

  /// One object, whole; nil when there is none.
  public func object(
    _ resource: Resource, namespace: String = "", name: String
  ) async throws(KubernetesError) -> ManifestValue? {
    do throws(KubernetesError) {
      return try await value(
        APIRequest(path: resource.path(resource.apiVersion, namespace: namespace, name: name)))
    } catch {
      guard error.status?.isNotFound == true else { throw error }
      return nil
    }
  }

  /// Makes an object, at a path of its own where it has one; a conflict means that it is there
  /// already.
  @discardableResult
  public func create(
    _ resource: Resource, namespace: String = "", path: String? = nil, _ object: ManifestValue
  ) async throws(KubernetesError) -> ManifestValue {
    var request = APIRequest(
      path: path ?? resource.path(resource.apiVersion, namespace: namespace))
    request.method = .POST
    request.body = resource.completed(object).json
    return try await value(request)
  }

  /// Puts an object in place of the version it names; a conflict means that somebody else was first.
  @discardableResult
  public func replace(
    _ resource: Resource, namespace: String = "", name: String, part: String = "",
    _ object: ManifestValue
  ) async throws(KubernetesError) -> ManifestValue {
    var request = APIRequest(
      path: resource.path(resource.apiVersion, namespace: namespace, name: name, part: part))
    request.method = .PUT
    request.body = resource.completed(object).json
    return try await value(request)
  }

  /// Takes an object away, once nothing holds it any more.
  public func delete(
    _ resource: Resource, namespace: String = "", name: String
  ) async throws(KubernetesError) {
    var request = APIRequest(
      path: resource.path(resource.apiVersion, namespace: namespace, name: name))
    request.method = .DELETE
    _ = try await send(request)
  }

  /// Changes the fields that `change` names, of the object or of its `status`.
  @discardableResult
  public func patch(
    _ resource: Resource, namespace: String = "", name: String, part: String = "",
    _ change: ManifestValue, as patch: Patch = .merge
  ) async throws(KubernetesError) -> ManifestValue {
    var request = APIRequest(
      path: resource.path(resource.apiVersion, namespace: namespace, name: name, part: part))
    request.method = .PATCH
    request.contentType = patch.rawValue
    switch patch {
    case .merge: request.body = change.json
    case .apply:
      request.body = resource.completed(change).json
      request.query = [("fieldManager", "skein"), ("force", "true")]
    }
    return try await value(request)
  }

  /// The object of that name, made when there is none; whoever is first wins, all get the same.
  public func createIfAbsent(
    _ resource: Resource, namespace: String, name: String, _ object: ManifestValue
  ) async throws(KubernetesError) -> ManifestValue {
    for _ in 0..<Limit.conflicts {
      if let found = try await self.object(resource, namespace: namespace, name: name) {
        return found
      }
      do throws(KubernetesError) {
        return try await create(resource, namespace: namespace, object)
      } catch {
        // Somebody made it in between: it is read now, unless it is gone again.
        guard error.status?.isConflict == true else { throw error }
      }
    }
    throw .status(APIStatus(code: 409, reason: "Conflict", message: "\(name) comes and goes"))
  }

  /// Reads, changes and writes until nobody else was in between; `change` answers nil for no change.
  public func update(
    _ resource: Resource, namespace: String, name: String,
    _ change: @Sendable (ManifestValue) -> ManifestValue?
  ) async throws(KubernetesError) -> ManifestValue {
    var last: KubernetesError = .status(APIStatus(code: 404, reason: "NotFound", message: name))
    for _ in 0..<Limit.conflicts {
      guard let found = try await object(resource, namespace: namespace, name: name) else {
        throw .status(APIStatus(code: 404, reason: "NotFound", message: name))
      }
      guard let changed = change(found) else { return found }
      do throws(KubernetesError) {
        return try await replace(resource, namespace: namespace, name: name, changed)
      } catch {
        guard error.status?.isConflict == true else { throw error }
        last = error
      }
    }
    throw last
  }

  func value(_ request: APIRequest) async throws(KubernetesError) -> ManifestValue {
    let bytes = try await send(request)
    do throws(JSONProblem) {
      return try JSONReader.value(bytes)
    } catch {
      throw .malformed(reason: error.message)
    }
  }
}

extension Resource {
  public static let configMaps = Resource(plural: "configmaps", kind: "ConfigMap")
  public static let pods = Resource(plural: "pods", kind: "Pod")
  public static let nodes = Resource(plural: "nodes", kind: "Node")
  public static let namespaces = Resource(plural: "namespaces", kind: "Namespace")
  public static let secrets = Resource(plural: "secrets", kind: "Secret")
  public static let leases = Resource(
    group: "coordination.k8s.io", plural: "leases", kind: "Lease")

  /// The object with its type, as the API wants it.
  func completed(_ object: ManifestValue) -> ManifestValue {
    object.with("apiVersion", .text(apiVersion)).with("kind", .text(kind))
  }
}
