import KubernetesHarness
import Linux
import MeshModel
import Testing

@testable import KubernetesClient

private func put(_ path: String, _ text: String) throws {
  try File.replace(path, with: Array(text.utf8))
}

@Suite struct `A pod finds its API server` {
  @Test func `by its environment and its service account`() async throws {
    try await withDirectory { directory in
      try put(directory + "/token", "abc\n")
      try put(directory + "/ca.crt", "roots")
      try put(directory + "/namespace", "skein-system\n")
      for (host, url) in [
        ("10.0.0.1", "https://10.0.0.1:443"), ("fd00::1", "https://[fd00::1]:443"),
      ] {
        let found = try ClusterConfiguration.inCluster(
          environment: ["KUBERNETES_SERVICE_HOST": host, "KUBERNETES_SERVICE_PORT": "443"],
          directory: directory)
        #expect(
          found
            == ClusterConfiguration(
              server: url, authority: Array("roots".utf8), authorityFile: directory + "/ca.crt",
              credentials: .tokenFile(directory + "/token"), namespace: "skein-system"))
      }
    }
  }

  @Test(arguments: [
    [:], ["KUBERNETES_SERVICE_HOST": "a"],
    ["KUBERNETES_SERVICE_HOST": "a", "KUBERNETES_SERVICE_PORT": "x"],
    ["KUBERNETES_SERVICE_HOST": "a", "KUBERNETES_SERVICE_PORT": "443"],
  ])
  func `or is told what is missing`(environment: [String: String]) {
    let error = #expect(throws: KubernetesError.self) {
      try ClusterConfiguration.inCluster(environment: environment, directory: "/nonexistent")
    }
    #expect(error?.description.contains("give --kubeconfig FILE") == true)
  }

  @Test func `with the token its file has now`() async throws {
    try await withDirectory { directory in
      let path = directory + "/token"
      try put(path, "one\n")
      let token = try BearerToken(path: path)
      let start = MonotonicClock.now()
      try put(path, "two\n")
      #expect(token.current(at: start) == "one")
      #expect(token.current(at: start + .seconds(31)) == "two")
      // A file that is gone, or empty while it is written, leaves the last one.
      try put(path, "")
      #expect(token.current(at: start + .seconds(90)) == "two")
      #expect(!token.renew(at: start + .seconds(91)))
      try put(path, "three")
      #expect(token.renew(at: start + .seconds(92)))
    }
  }
}

private let goodCluster =
  "server: \"https://k:6443/\", certificate-authority-data: cm9vdHM="

@Suite struct `A kubeconfig` {
  /// `c` and `u` are what stands under the cluster and the user.
  private func kubeconfig(cluster: String, user: String) -> String {
    """
    apiVersion: v1
    kind: Config
    current-context: here
    contexts:
    - {name: there, context: {cluster: x, user: x}}
    - {name: here, context: {cluster: c, user: u, namespace: shop}}
    clusters:
    - {name: c, cluster: {\(cluster)}}
    users:
    - {name: u, user: {\(user)}}
    """
  }

  @Test func `gives server, roots, namespace and credentials, from data or files beside it`()
    async throws
  {
    try await withDirectory { directory in
      let path = directory + "/config"
      try put(directory + "/ca", "roots")
      try put(directory + "/crt", "chain")
      try put(directory + "/key", "key")
      typealias Row = (cluster: String, user: String, ClusterConfiguration.Credentials)
      let rows: [Row] = [
        (goodCluster, "token: abc", .token("abc")),
        (goodCluster, "", .none),
        (goodCluster, "tokenFile: t", .tokenFile(directory + "/t")),
        (goodCluster, "tokenFile: /t, token: abc", .tokenFile("/t")),
        (
          "server: \"https://k:6443\", certificate-authority: ca",
          "client-certificate: crt, client-key-data: a2V5",
          .certificate(chain: Array("chain".utf8), key: Array("key".utf8))
        ),
        (
          goodCluster, "client-certificate-data: Y2hhaW4=, client-key: key",
          .certificate(chain: Array("chain".utf8), key: Array("key".utf8))
        ),
      ]
      for (cluster, user, credentials) in rows {
        try put(path, kubeconfig(cluster: cluster, user: user))
        #expect(
          try ClusterConfiguration.kubeconfig(path)
            == ClusterConfiguration(
              server: "https://k:6443", authority: Array("roots".utf8),
              authorityFile: cluster == goodCluster ? nil : directory + "/ca",
              credentials: credentials, namespace: "shop"))
      }
    }
  }

  @Test func `is read in another context by its name`() async throws {
    try await withDirectory { directory in
      let path = directory + "/config"
      let text = kubeconfig(cluster: goodCluster, user: "token: abc")
      try put(
        path,
        text.replacing(
          "cluster: x, user: x", with: "cluster: c, user: u, namespace: far"))
      #expect(try ClusterConfiguration.kubeconfig(path).namespace == "shop")
      #expect(try ClusterConfiguration.kubeconfig(path, context: "there").namespace == "far")
      #expect(throws: KubernetesError.self) {
        try ClusterConfiguration.kubeconfig(path, context: "nowhere")
      }
    }
  }

  struct Row: Sendable {
    var cluster = goodCluster
    var user = ""
    var field: String
  }

  @Test(arguments: [
    Row(user: "exec: {command: x}", field: "users[0].user.exec"),
    Row(user: "auth-provider: {name: x}", field: "users[0].user.auth-provider"),
    Row(user: "username: x", field: "users[0].user.username"),
    Row(user: "as: x", field: "users[0].user.as"),
    Row(
      cluster: goodCluster + ", insecure-skip-tls-verify: true",
      field: "clusters[0].cluster.insecure-skip-tls-verify"),
    Row(cluster: goodCluster + ", proxy-url: x", field: "clusters[0].cluster.proxy-url"),
    Row(cluster: "server: \"http://k\"", field: "clusters[0].cluster.server"),
    Row(cluster: "certificate-authority-data: eA==", field: "clusters[0].cluster.server"),
    Row(
      cluster: "server: \"https://k\"", field: "clusters[0].cluster.certificate-authority-data"),
    Row(
      cluster: "server: \"https://k\", certificate-authority-data: \"*\"",
      field: "clusters[0].cluster.certificate-authority-data"),
    Row(user: "client-certificate-data: eA==", field: "users[0].user.client-key-data"),
    Row(user: "client-key-data: eA==", field: "users[0].user.client-certificate-data"),
  ])
  func `is refused by the name of its field`(row: Row) async throws {
    try await withDirectory { directory in
      let path = directory + "/config"
      try put(path, kubeconfig(cluster: row.cluster, user: row.user))
      do throws(KubernetesError) {
        _ = try ClusterConfiguration.kubeconfig(path)
        Issue.record("taken")
      } catch .configuration(let place, let field, _) {
        #expect(place == path && field == row.field)
      } catch {
        Issue.record("\(error)")
      }
    }
  }

  @Test(arguments: [
    ("", "YAML"), ("[", "YAML"), ("- a", "YAML"), ("a: b", "current-context"),
    ("current-context: x", "contexts"),
    ("{current-context: x, contexts: [{name: x, context: {}}]}", "contexts[0].context.cluster"),
    (
      "{current-context: x, contexts: [{name: x, context: {cluster: c}}], clusters: []}", "clusters"
    ),
  ])
  func `says which part is missing`(text: String, field: String) async throws {
    try await withDirectory { directory in
      try put(directory + "/config", text)
      do throws(KubernetesError) {
        _ = try ClusterConfiguration.kubeconfig(directory + "/config")
        Issue.record("taken")
      } catch .configuration(_, let found, _) {
        #expect(found == field)
      } catch {
        Issue.record("\(error)")
      }
    }
  }

  @Test func `with roots or certificates that are none gives no client`() {
    let rootless = ClusterConfiguration(
      server: "https://k", authority: Array("x".utf8), credentials: .none)
    #expect(throws: KubernetesError.self) { try KubernetesClient(rootless) }
  }
}
