/// The labels and annotations the mesh reads.
enum Key {
  /// Label on a namespace or a pod: `ambient` or `none`.
  static let dataplaneMode = "istio.io/dataplane-mode"
  /// Annotation on a pod, ours: its network namespace.
  static let networkNamespace = "skein.dev/netns"
  /// Annotation a sidecar injector leaves on a pod.
  static let sidecarStatus = "sidecar.istio.io/status"
  /// Annotation on an AuthorizationPolicy: evaluate, never enforce.
  static let dryRun = "istio.io/dry-run"
  /// Label on an EndpointSlice: the service it belongs to.
  static let serviceName = "kubernetes.io/service-name"
  static let podTemplateHash = "pod-template-hash"
  /// The first label present names the workload in telemetry.
  static let canonicalNames = [
    "service.istio.io/canonical-name", "app.kubernetes.io/name", "app",
  ]
  static let canonicalRevisions = [
    "service.istio.io/canonical-revision", "app.kubernetes.io/version", "version",
  ]
}
