import FoundationEssentials
import MeshCompiler

/// A program of a kubeconfig that says who its user is, as those of most managed clusters do.
///
/// Source: Kubernetes, "client-go credential plugins", and the API client.authentication.k8s.io/v1.
struct CredentialProgram: Hashable, Sendable {
  /// The versions of its question and answer; v1alpha1 ended with Kubernetes 1.24.
  static let versions = ["client.authentication.k8s.io/v1", "client.authentication.k8s.io/v1beta1"]

  /// A path when it has a slash in it, else a name to be looked for in PATH.
  var command: String
  var arguments: [String] = []
  /// Added to what it inherits.
  var environment: [String: String] = [:]
  var version: String
  /// Whether it is told which cluster it is for.
  var knowsCluster = false
  /// What its kubeconfig says to those who have not got it.
  var installHint = ""

  /// What the program is told, in KUBERNETES_EXEC_INFO.
  func question(for cluster: ClusterConfiguration) -> ManifestValue {
    var spec: ManifestValue = ["interactive": .flag(false)]
    if knowsCluster {
      spec = spec.with(
        "cluster",
        [
          "server": .text(cluster.server),
          "certificate-authority-data": .text(Data(cluster.authority).base64EncodedString()),
        ])
    }
    return ["apiVersion": .text(version), "kind": "ExecCredential", "spec": spec]
  }

  /// Whom the program's answer makes us.
  ///
  /// When they end is not kept: whoever asks a program runs shorter than that.
  func credentials(
    in answer: [UInt8]
  ) throws(KubernetesError) -> ClusterConfiguration.Credentials {
    let object: ManifestValue
    do throws(JSONProblem) {
      object = try JSONReader.value(answer)
    } catch {
      throw failed("its answer is not JSON: \(error.message)")
    }
    guard object["kind"]?.text == "ExecCredential", object["apiVersion"]?.text == version else {
      throw failed("expected an ExecCredential of \(version) as its answer")
    }
    let status = object["status"]
    if let token = status?["token"]?.text, !token.isEmpty { return .token(token) }
    guard let chain = status?["clientCertificateData"]?.text,
      let key = status?["clientKeyData"]?.text
    else { throw failed("its answer has neither a token nor a client certificate with its key") }
    return .certificate(chain: Array(chain.utf8), key: Array(key.utf8))
  }

  func failed(_ reason: String) -> KubernetesError {
    .credentialProgram(command: command, reason: reason)
  }
}
