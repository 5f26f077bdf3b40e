public import MeshCompiler

/// All objects of a resource at one moment.
public struct ObjectList: Sendable {
  /// With `apiVersion` and `kind`.
  public var objects: [ManifestValue]
  /// Those beyond our limits: known by name, not read.
  public var refused: [RefusedObject]
}

extension KubernetesClient {
  /// All objects of a resource that the filter lets through, but those beyond our limits; empty when
  /// it is not served.
  public func list(
    _ resource: Resource, filter: ResourceFilter = ResourceFilter(),
    _ selection: FieldSelection = .all
  ) async throws(KubernetesError) -> [ManifestValue] {
    try await objects(of: resource, filter: filter, selection)?.objects ?? []
  }

  /// Reads a resource once, in the best version that is served; nil when none is.
  public func objects(
    of resource: Resource, filter: ResourceFilter = ResourceFilter(),
    _ selection: FieldSelection = .all
  ) async throws(KubernetesError) -> ObjectList? {
    for apiVersion in resource.apiVersions {
      let form = ObjectForm(apiVersion: apiVersion, kind: resource.kind, selection: selection)
      do throws(KubernetesError) {
        return try await objects(of: resource, form, filter)
      } catch {
        guard error.status?.isNotFound == true else { throw error }
      }
    }
    return nil
  }

  private func objects(
    of resource: Resource, _ form: ObjectForm, _ filter: ResourceFilter
  ) async throws(KubernetesError) -> ObjectList {
    var list = ObjectList(objects: [], refused: [])
    var next: String?
    for _ in 0..<Limit.pages {
      let page = try await page(
        resource, form, limit: Limit.pageObjects, next: next, filter: filter)
      for object in page.objects {
        switch object {
        case .object(let object): list.objects.append(object.root)
        case .refused(let object): list.refused.append(object)
        }
      }
      guard list.objects.count <= Limit.objects else { break }
      guard let following = page.next else { return list }
      next = following
    }
    throw .tooLarge(limit: Limit.objects)
  }
}

/// What somebody wants to do with objects of a kind.
public struct AccessQuestion: Hashable, Sendable {
  public var verb: String
  /// Empty for the core.
  public var group: String
  /// As in a URL, perhaps with a part, such as `pods/exec`.
  public var resource: String
  /// Empty for all.
  public var namespace: String

  public init(verb: String, group: String, resource: String, namespace: String) {
    self.verb = verb
    self.group = group
    self.resource = resource
    self.namespace = namespace
  }
}

extension KubernetesClient {
  /// What the server calls its own version, such as `v1.31.2`; nil when it does not say.
  public func serverVersion() async throws(KubernetesError) -> String? {
    try await value(APIRequest(path: "/version"))["gitVersion"]?.text
  }

  /// Whether the API server would let us do something.
  public func isAllowed(_ question: AccessQuestion) async throws(KubernetesError) -> Bool {
    let parts = question.resource.split(separator: "/").map(String.init)
    let attributes: ManifestValue = [
      "verb": .text(question.verb), "group": .text(question.group),
      "resource": .text(parts.first ?? ""), "subresource": .text(parts.count > 1 ? parts[1] : ""),
      "namespace": .text(question.namespace),
    ]
    let reviews = Resource(
      group: "authorization.k8s.io", plural: "selfsubjectaccessreviews",
      kind: "SelfSubjectAccessReview")
    let answer = try await create(reviews, ["spec": ["resourceAttributes": attributes]])
    return answer["status"]?["allowed"]?.content == .boolean(true)
  }
}
