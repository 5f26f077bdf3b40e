import MeshCompiler

extension KubernetesClient {
  /// The best version of a resource that is served now; nil when none is.
  ///
  /// A server that has just started may not know its custom resources yet, and answers as if there
  /// were none. That one is absent counts only from a server that says it is ready.
  public func servedVersion(of resource: Resource) async throws(KubernetesError) -> String? {
    if let version = try await version(of: resource) { return version }
    _ = try await send(APIRequest(path: "/readyz"))
    return try await version(of: resource)
  }

  private func version(of resource: Resource) async throws(KubernetesError) -> String? {
    for apiVersion in resource.apiVersions where try await serves(resource, apiVersion) {
      return apiVersion
    }
    return nil
  }

  private func serves(
    _ resource: Resource, _ apiVersion: String
  ) async throws(KubernetesError) -> Bool {
    let list: ManifestValue
    do throws(KubernetesError) {
      list = try await value(APIRequest(path: Resource.root(apiVersion)))
    } catch {
      guard error.status?.isNotFound == true else { throw error }
      return false
    }
    return list["resources"]?.items.contains { $0["name"]?.text == resource.plural } ?? false
  }
}
