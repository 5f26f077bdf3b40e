import Linux

/// Where an API server is, whom to trust there, and who we are.
public struct ClusterConfiguration: Hashable, Sendable {
  public enum Credentials: Hashable, Sendable {
    case none
    case token(String)
    /// Read again and again: kubelet and others renew it.
    case tokenFile(String)
    /// PEM.
    case certificate(chain: [UInt8], key: [UInt8])
  }

  /// `https://host:port`, without a slash at its end.
  public var server: String
  /// The roots of the server's certificate, PEM.
  public var authority: [UInt8]
  /// Where they are from, to be read again; nil when they are nowhere else.
  public var authorityFile: String?
  public var credentials: Credentials
  /// Where we are, or what the context says; empty when unknown.
  public var namespace: String

  public init(
    server: String, authority: [UInt8], authorityFile: String? = nil, credentials: Credentials,
    namespace: String = ""
  ) {
    self.server = server
    self.authority = authority
    self.authorityFile = authorityFile
    self.credentials = credentials
    self.namespace = namespace
  }
}

extension ClusterConfiguration {
  /// Where kubelet puts a pod's account.
  public static let accountDirectory = "/var/run/secrets/kubernetes.io/serviceaccount"

  /// What a pod of a cluster is told, by its environment and its service account.
  public static func inCluster(
    environment: [String: String], directory: String = accountDirectory
  ) throws(KubernetesError) -> ClusterConfiguration {
    guard let host = environment["KUBERNETES_SERVICE_HOST"], !host.isEmpty else {
      throw .notInCluster(missing: "KUBERNETES_SERVICE_HOST in the environment")
    }
    guard let text = environment["KUBERNETES_SERVICE_PORT"], let port = UInt16(text), port > 0
    else { throw .notInCluster(missing: "port in KUBERNETES_SERVICE_PORT") }
    let tokenFile = "\(directory)/token"
    guard File.exists(tokenFile) else { throw .notInCluster(missing: tokenFile) }
    var namespace = ""
    if File.exists("\(directory)/namespace") {
      let text = try readFile("\(directory)/namespace", atMost: Limit.tokenBytes)
      namespace = trimmed(String(decoding: text, as: UTF8.self))
    }
    let authorityFile = "\(directory)/ca.crt"
    return ClusterConfiguration(
      server: "https://\(host.contains(":") ? "[\(host)]" : host):\(port)",
      authority: try readFile(authorityFile, atMost: Limit.configurationBytes),
      authorityFile: authorityFile,
      credentials: .tokenFile(tokenFile), namespace: namespace)
  }
}

func readFile(_ path: String, atMost limit: Int) throws(KubernetesError) -> [UInt8] {
  do throws(LinuxError) {
    return try File.read(path, atMost: limit)
  } catch {
    throw .unreadable(path: path, reason: error.reason)
  }
}

/// Without white space at both ends.
func trimmed(_ text: String) -> String {
  let isSpace: (Character) -> Bool = { $0.isWhitespace || $0.isNewline }
  return String(text.drop(while: isSpace).reversed().drop(while: isSpace).reversed())
}
