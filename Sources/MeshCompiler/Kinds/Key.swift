/// The labels and annotations the mesh reads.
public enum Key {
  /// Label on a namespace or a pod: `ambient` or `none`.
  public static let dataplaneMode = "istio.io/dataplane-mode"
  /// Label on a namespace: `enabled` has Istio put a sidecar into its pods.
  public static let injection = "istio-injection"
  /// Label or annotation on a pod: `false` keeps the sidecar out.
  public static let sidecarInjection = "sidecar.istio.io/inject"
  /// Annotation on a pod, ours: its network namespace.
  public static let networkNamespace = "skein.dev/netns"
  /// Annotation on a pod, ours: its trust domain, where it is not the mesh's.
  public static let trustDomain = "skein.dev/trust-domain"
  /// Annotation on a pod: `false` leaves its DNS queries to its own resolver.
  public static let dnsCapture = "ambient.istio.io/dns-capture"
  /// Annotations on a pod or its namespace, ours: what becomes of connections that live when the pod
  /// comes into the mesh or leaves it, and until when.
  public static let existingConnections = "skein.dev/existing-connections"
  public static let existingConnectionsDeadline = "skein.dev/existing-connections-deadline"
  /// Annotation a sidecar injector leaves on a pod.
  public static let sidecarStatus = "sidecar.istio.io/status"
  /// Annotation on an AuthorizationPolicy: evaluate, never enforce.
  public static let dryRun = "istio.io/dry-run"
  /// Label on an EndpointSlice: the service it belongs to.
  public static let serviceName = "kubernetes.io/service-name"
  /// Label on a namespace, service, pod or entry: the waypoint's Gateway, or `none`.
  public static let useWaypoint = "istio.io/use-waypoint"
  public static let useWaypointNamespace = "istio.io/use-waypoint-namespace"
  /// Label on a waypoint's Gateway: `service`, `workload`, `all` or `none`.
  public static let waypointFor = "istio.io/waypoint-for"
  /// Label on what a Gateway consists of: its name.
  public static let gatewayName = "gateway.networking.k8s.io/gateway-name"
  /// Label: `http` means that the application speaks HBONE itself.
  public static let tunnel = "networking.istio.io/tunnel"
  /// Annotation on a waypoint's Gateway: how its pods take connections, `PROXY/15088`.
  public static let inboundBinding = "ambient.istio.io/waypoint-inbound-binding"
  /// Annotation on a service or namespace, as `spec.trafficDistribution` of newer clusters.
  public static let trafficDistribution = "networking.istio.io/traffic-distribution"
  /// Annotation on a service: who may see it.
  public static let exportTo = "networking.istio.io/exportTo"
  /// Label on a pod, a network's gateway, or the root namespace for all that have none.
  public static let network = "topology.istio.io/network"
  public static let region = "topology.kubernetes.io/region"
  public static let zone = "topology.kubernetes.io/zone"
  public static let subzone = "topology.istio.io/subzone"
  public static let podTemplateHash = "pod-template-hash"
  /// The first label present names the workload in telemetry.
  public static let canonicalNames = [
    "service.istio.io/canonical-name", "app.kubernetes.io/name", "app",
  ]
  public static let canonicalRevisions = [
    "service.istio.io/canonical-revision", "app.kubernetes.io/version", "version",
  ]
}
