/// One pod of the test mesh: its namespace, its addresses, its manifest.
package struct PodFixture: Sendable {
  package var name: String
  package var namespace: String
  package var node: String
  package var netns: String
  package var ip4: String
  package var ip6: String
  package var serviceAccount: String
  package var labels: [String: String]
  /// Nil: that of the node agents.
  package var trustDomain: String?
  /// Whether its manifest names its namespace; else a runtime's call does.
  package var isAnnotated = true
  /// Whether its manifest names its addresses.
  package var hasStatus = true
  /// Beside those that it needs to be found.
  package var moreAnnotations: [String] = []

  private var foreignDomain: String {
    trustDomain.map { ", skein.dev/trust-domain: \($0)" } ?? ""
  }

  private var annotations: String {
    (isAnnotated ? "skein.dev/netns: \(netns)" : "skein.dev/none: none") + foreignDomain
      + moreAnnotations.map { ", \($0)" }.joined()
  }

  private var status: String {
    hasStatus ? "{podIPs: [{ip: \(ip4)}, {ip: \"\(ip6)\"}]}" : "{phase: Pending}"
  }

  package var manifest: String {
    let labels = labels.sorted { $0.key < $1.key }.map { "\($0.key): \"\($0.value)\"" }
    return """
      apiVersion: v1
      kind: Pod
      metadata:
        name: \(name)
        namespace: \(namespace)
        labels: {\(labels.joined(separator: ", "))}
        annotations: {\(annotations)}
      spec:
        nodeName: \(node)
        serviceAccountName: \(serviceAccount)
      status: \(status)
      """
  }
}

package enum Manifest {
  package static func service(
    _ name: String, namespace: String = "shop", selector: String, virtualIP: String,
    port: Int = 80, targetPort: Int = 8080
  ) -> String {
    """
    apiVersion: v1
    kind: Service
    metadata: {name: \(name), namespace: \(namespace)}
    spec:
      clusterIP: "\(virtualIP)"
      clusterIPs: ["\(virtualIP)"]
      selector: \(selector)
      ports: [{name: tcp, port: \(port), targetPort: \(targetPort)}]
    """
  }

  package static func peerAuthentication(_ mode: String, namespace: String = "shop") -> String {
    """
    apiVersion: security.istio.io/v1
    kind: PeerAuthentication
    metadata: {name: default, namespace: \(namespace)}
    spec: {mtls: {mode: \(mode)}}
    """
  }

  package static func authorization(
    _ name: String, action: String, selector: String, namespace: String = "shop", rules: String
  ) -> String {
    """
    apiVersion: security.istio.io/v1
    kind: AuthorizationPolicy
    metadata: {name: \(name), namespace: \(namespace)}
    spec:
      selector: {matchLabels: {app: \(selector)}}
      action: \(action)
      rules: \(rules)
    """
  }
}
