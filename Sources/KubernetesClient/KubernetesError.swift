/// Why the API server could not be asked, or what it answered.
public enum KubernetesError: Error, Hashable, Sendable {
  case notInCluster(missing: String)
  case unreadable(path: String, reason: String)
  /// A field of a kubeconfig that is absent or unusable.
  case configuration(path: String, field: String, reason: String)
  /// A kubeconfig's program that did not say who its user is.
  case credentialProgram(command: String, reason: String)
  case unusableAuthority(reason: String)
  case unusableClientCertificate(reason: String)
  case unreachable(reason: String)
  case timedOut
  case tooLarge(limit: Int)
  case malformed(reason: String)
  case status(APIStatus)
  case cancelled
}

/// What the API server says when it does not do what it was asked.
public struct APIStatus: Hashable, Sendable {
  public var code: Int
  /// One word for programs, such as `Expired`; empty when the server gave none.
  public var reason: String
  public var message: String
  /// How long to stay away, if the server said so.
  public var retryAfter: Duration?

  public init(code: Int, reason: String = "", message: String = "", retryAfter: Duration? = nil) {
    self.code = code
    self.reason = reason
    self.message = message
    self.retryAfter = retryAfter
  }

  /// The version asked for is too old: 410 as a status, or inside a stream that began with 200.
  public var isExpired: Bool { code == 410 || reason == "Expired" || reason == "Gone" }
  public var isNotFound: Bool { code == 404 }
  public var isUnauthorized: Bool { code == 401 }
  public var isForbidden: Bool { code == 403 }
  /// Somebody else wrote first, or the object is there already.
  public var isConflict: Bool { code == 409 }
}

extension APIStatus: CustomStringConvertible {
  public var description: String {
    let words = [reason, message].filter { !$0.isEmpty }.joined(separator: ": ")
    return words.isEmpty ? "\(code)" : "\(code) \(words)"
  }
}

extension KubernetesError {
  public var status: APIStatus? {
    guard case .status(let status) = self else { return nil }
    return status
  }
}

extension KubernetesError: CustomStringConvertible {
  public var description: String {
    switch self {
    case .notInCluster(let missing):
      "not in a pod of a cluster: there is no \(missing); give --kubeconfig FILE"
    case .unreadable(let path, let reason): "\(path): cannot be read: \(reason)"
    case .configuration(let path, let field, let reason): "\(path): \(field): \(reason)"
    case .credentialProgram(let command, let reason):
      "the kubeconfig's program \(command): \(reason)"
    case .unusableAuthority(let reason):
      "the cluster's certificate authority cannot be used: \(reason); expected PEM certificates"
    case .unusableClientCertificate(let reason):
      "the client certificate cannot be used: \(reason); expected a certificate and its key in PEM"
    case .unreachable(let reason): "the API server cannot be reached: \(reason)"
    case .timedOut: "the API server did not answer in time"
    case .tooLarge(let limit): "the API server's answer is larger than \(limit) bytes"
    case .malformed(let reason): "the API server's answer cannot be read: \(reason)"
    case .status(let status): "the API server answered \(status)\(status.nextStep)"
    case .cancelled: "cancelled"
    }
  }
}

extension APIStatus {
  fileprivate var nextStep: String {
    switch code {
    case 401: "; is the token or client certificate of this cluster, and not expired?"
    case 403: "; grant the role in docs/kubernetes.md to this account"
    default: ""
    }
  }
}
