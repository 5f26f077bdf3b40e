import MeshCompiler
import MeshModel

/// A Gateway of class istio-waypoint; `spec` and `labels` are flow YAML inside braces.
func waypoint(
  _ name: String = "waypoint", in namespace: String = "shop", labels: String = "",
  annotations: String = "", className: String = "istio-waypoint",
  listener: String = "name: mesh, port: 15008, protocol: HBONE", status: String = ""
) -> String {
  """
  apiVersion: gateway.networking.k8s.io/v1
  kind: Gateway
  metadata: {name: \(name), namespace: \(namespace), labels: {\(labels)},
    annotations: {\(annotations)}}
  spec: {gatewayClassName: \(className), listeners: [{\(listener)}]}
  status: {\(status)}
  """
}

/// The waypoint's Service.
func waypointService(_ name: String = "waypoint", in namespace: String = "shop") -> String {
  labelled(
    "Service", name, in: namespace, labels: "gateway.networking.k8s.io/gateway-name: \(name)",
    "clusterIP: 10.96.0.99, ports: [{port: 15008}], selector: {app: \(name)}")
}

func waypointPod(_ name: String = "waypoint", in namespace: String = "shop") -> String {
  pod(
    name, in: namespace,
    labels: "app: \(name), networking.istio.io/tunnel: http, "
      + "gateway.networking.k8s.io/gateway-name: \(name)",
    spec: "serviceAccountName: \(name)", ip: "10.0.0.99")
}

/// A v1 object with labels and annotations.
func labelled(
  _ kind: String, _ name: String, in namespace: String = "shop", labels: String = "",
  annotations: String = "", _ spec: String
) -> String {
  """
  apiVersion: v1
  kind: \(kind)
  metadata: {name: \(name), namespace: \(namespace), labels: {\(labels)},
    annotations: {\(annotations)}}
  spec: {\(spec)}
  """
}

/// A networking.istio.io object.
func entry(
  _ kind: String, _ name: String, in namespace: String = "shop", labels: String = "",
  metadata: String = "", version: String = "v1", _ spec: String
) -> String {
  """
  apiVersion: networking.istio.io/\(version)
  kind: \(kind)
  metadata: {name: \(name), namespace: \(namespace), labels: {\(labels)}, \(metadata)}
  spec: {\(spec)}
  """
}

extension Compilation {
  func service(_ name: String, in namespace: String = "shop") -> Service? {
    model.services[.named(name, in: namespace)]
  }

  func host(_ hostname: String, in namespace: String = "shop") -> Service? {
    model.services[ServiceKey(namespace: namespace, hostname: hostname)]
  }

  /// The workloads that serve a service, by their uid's last part.
  func members(_ key: ServiceKey) -> [String] {
    MeshIndex(model).members(of: key).map { String($0.uid.split(separator: "/").last ?? "") }
  }
}

extension ServiceKey {
  static func named(_ name: String, in namespace: String = "shop") -> ServiceKey {
    ServiceKey(namespace: namespace, hostname: "\(name).\(namespace).svc.cluster.local")
  }
}
