import ControlAPI
import MeshModel

/// What `run` takes from the environment, by the names that users of ztunnel know.
///
/// A flag of the command line wins over its variable.
struct RunEnvironment: Sendable {
  var variables: [String: String]
  /// Whether there is a file of this path.
  var hasFile: @Sendable (String) -> Bool

  /// Nil when it is not set, or empty.
  subscript(_ name: String) -> String? {
    variables[name].flatMap { $0.isEmpty ? nil : $0 }
  }

  /// Everything set under a prefix, by what follows it.
  func all(under prefix: String) -> [String: String] {
    var found: [String: String] = [:]
    for (name, value) in variables where name.hasPrefix(prefix) && name.count > prefix.count {
      found[String(name.dropFirst(prefix.count))] = value
    }
    return found
  }
}

/// Why a command line and its environment mean nothing together.
enum SettingsError: Error, Equatable {
  case missing(flag: String, variable: String)
  case noMesh
  case twoPlacements
  case clusterWithoutMesh
  case notAnAddress(flag: String, String)
  case noRoots(flag: String, variable: String)
  case noSystemRoots
  case twoAuthorities
  case notALifetime(variable: String, String)
  case notABundle(String)
  case ownBundle(String)
  case twoBundles(String)
  case halfCNI
}

extension SettingsError: CustomStringConvertible {
  var description: String {
    switch self {
    case .missing(let flag, let variable): "give \(flag), or set \(variable)"
    case .noMesh:
      "give --config with a directory of manifests, or --xds-address with a control plane"
    case .twoPlacements:
      "give one of --config and --kubernetes: only one can say which pods are here"
    case .clusterWithoutMesh:
      "give --xds-address with a control plane too: --kubernetes only says which pods are here"
    case .notAnAddress(let flag, let text):
      "\(flag) is HOST[:PORT], with TLS always, not \"\(text)\""
    case .noRoots(let flag, let variable):
      "give --root-cert, or set \(variable): the roots that signed the server of \(flag)"
    case .noSystemRoots: "there is no list of the system's roots; give --root-cert"
    case .twoAuthorities: "give one of --ca-dir and --ca-address: only one can sign"
    case .notABundle(let text):
      "--trust-bundle is TRUST-DOMAIN=FILE, not \"\(text)\""
    case .ownBundle(let trustDomain):
      "--trust-bundle \(trustDomain): that is our own domain; its roots come from the authority"
    case .twoBundles(let trustDomain): "--trust-bundle \(trustDomain) is given twice"
    case .halfCNI:
      "give --cni-conf-dir and --cni-bin-dir together: a network may only name a plugin that is there"
    case .notALifetime(let variable, let text):
      "\(variable) is a length of time such as 24h, at least 10s, not \"\(text)\""
    }
  }
}

extension RunEnvironment {
  enum Place {
    static let root = "/var/run/secrets/istio/root-cert.pem"
    static let token = "/var/run/secrets/tokens/istio-token"
    /// Debian, then Fedora.
    static let systemRoots = [
      "/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt",
    ]
  }

  /// One side of a control plane: `XDS` or `CA`.
  struct Service {
    var prefix: String
    var flag: String
  }

  /// How to reach a service at `address`, with what the flags say of it.
  func channel(
    _ service: Service, address text: String, rootFile: String?, tokenFile: String?,
    clusterID: String
  ) throws(SettingsError) -> ChannelSettings {
    guard let address = ControlAddress(text) else {
      throw .notAnAddress(flag: service.flag, text)
    }
    var channel = ChannelSettings(
      address: address, roots: try roots(service, file: rootFile),
      serverName: self["ALT_\(service.prefix)_HOSTNAME"], clusterID: clusterID)
    switch token(file: tokenFile) {
    case .file(let path): channel.tokenFile = path
    case .text(let token):
      channel.headers.append(ChannelSettings.Header("authorization", "Bearer \(token)"))
    case nil: break
    }
    for (name, value) in all(under: "\(service.prefix)_HEADER_").sorted(by: { $0.key < $1.key }) {
      channel.headers.append(ChannelSettings.Header(name.lowercased(), value))
    }
    return channel
  }

  private func roots(
    _ service: Service, file: String?
  ) throws(SettingsError) -> ChannelSettings.PEM {
    if let file { return .file(file) }
    let variable = "\(service.prefix)_ROOT_CA"
    guard let value = self[variable] else {
      guard hasFile(Place.root) else { throw .noRoots(flag: service.flag, variable: variable) }
      return .file(Place.root)
    }
    if value.hasPrefix("-----BEGIN") { return .text(value) }
    guard value == "SYSTEM" else { return .file(value) }
    guard let system = Place.systemRoots.first(where: hasFile) else { throw .noSystemRoots }
    return .file(system)
  }

  /// AUTH_TOKEN is a path or the token itself.
  private func token(file: String?) -> ChannelSettings.PEM? {
    if let file { return .file(file) }
    if let value = self["AUTH_TOKEN"] {
      return value.hasPrefix("/") || hasFile(value) ? .file(value) : .text(value)
    }
    return hasFile(Place.token) ? .file(Place.token) : nil
  }
}
