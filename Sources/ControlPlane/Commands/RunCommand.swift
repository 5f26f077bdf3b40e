import ArgumentParser
import CertificateAuthority
import Commands
import ControlAPI
import Linux
import MeshModel
import Telemetry

struct RunCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "run",
    abstract: "Serve the mesh of a cluster, or of a directory of manifests, to node agents.",
    discussion: """
      Node agents connect with --xds-address and --ca-address. A node is known by its token, or by a
      client certificate for spiffe://TRUST-DOMAIN/node/NAME. SIGTERM and SIGINT end it.

      Examples:
        control-plane run --config manifests/ --ca-dir /etc/skein/ca \\
          --server-name control.example --token-file /etc/skein/tokens
        control-plane run --config manifests/ --ca-dir /etc/cacerts \\
          --server-name istiod.istio-system.svc --oidc-issuer https://issuer.example \\
          --oidc-audience istio-ca --jwks-file keys.json
        control-plane run --kubernetes --ca-dir /etc/skein/ca \\
          --server-name control-plane.skein-system.svc --node-account skein-system/node-agent
        control-plane run --kubernetes --ca-secret skein-system/skein-ca \\
          --server-name control-plane.skein-system.svc --node-account skein-system/node-agent
      """)

  @Option(name: .customLong("config"), help: "Directory of manifests, YAML or JSON; watched.")
  var configDirectory: String?

  @OptionGroup var cluster: ClusterOptions

  @Option(
    name: .customLong("ca-dir"),
    help: "Directory of the certificate authority, ours or Istio's cacerts; made when absent.")
  var caDirectory: String?

  @Option(help: "Serve discovery and certificates at HOST:PORT.")
  var listen = "0.0.0.0:15012"

  @Option(
    name: .customLong("server-name"),
    help: "A name or address nodes reach this by, for a certificate of the own authority; repeat.")
  var serverNames: [String] = []

  @Option(name: .customLong("tls-cert"), help: "Certificate of the port, PEM; watched.")
  var certificateFile: String?

  @Option(name: .customLong("tls-key"), help: "Key of --tls-cert, PEM.")
  var keyFile: String?

  @Option(help: "Tokens of nodes, one line each: NODE TOKEN; watched.")
  var tokenFile: String?

  @Option(help: "Take tokens that this OpenID Connect issuer signed.")
  var oidcIssuer: String?

  @Option(help: "What tokens of the issuer must be for.")
  var oidcAudience = "istio-ca"

  @Option(help: "The issuer's keys (JWKS) in a file; watched. (default: fetched by HTTPS)")
  var jwksFile: String?

  @Option(help: "Who may have signed the issuer's own certificate, PEM. (default: as this system)")
  var oidcRootCert: String?

  @Option(
    name: .customLong("node-account"),
    help: "Service account of node agents, NAMESPACE/NAME; repeat. (default: istio-system/ztunnel)")
  var nodeAccounts: [String] = []

  @Option(help: "How subjects of the issuer begin that name a node and are no service account.")
  var oidcNodePrefix = "system:node:"

  @Option(
    name: .customLong("crl-file"),
    help: "Revocation lists (PEM or DER) of client certificates; watched, never silently off.")
  var revocationFile: String?

  @Option(help: "The longest life of a certificate; who asks for more is refused.")
  var maxLifetime = DurationArgument(.seconds(90 * 86_400))

  @Option(help: "The life of a certificate when none is asked for.")
  var defaultLifetime = DurationArgument(.seconds(86_400))

  @Option(help: "The first part of every identity.")
  var trustDomain = "cluster.local"

  @Option(help: "The last part of every service's host name.")
  var clusterDomain = "cluster.local"

  @Option(help: "Serve status, metrics and health on this loopback address.")
  var admin = AddressArgument.admin

  @Option(help: "Serve metrics and health, without status, at ADDRESS:PORT as well.")
  var metricsAddress: AddressArgument?

  @Option(help: "How logs are written to standard output: text or json.")
  var logFormat = LogFormat.text

  func validate() throws {
    guard (configDirectory == nil) == cluster.isUsed else {
      throw ValidationError("give --config DIRECTORY, or --kubernetes")
    }
    guard (caDirectory == nil) == (cluster.authoritySecret != nil) else {
      throw ValidationError("give --ca-dir DIRECTORY, or --ca-secret NAMESPACE/NAME")
    }
    guard (certificateFile == nil) == (keyFile == nil) else {
      throw ValidationError("--tls-cert and --tls-key go together")
    }
    guard serverNames.isEmpty != (certificateFile == nil) else {
      throw ValidationError("give --server-name, or --tls-cert and --tls-key")
    }
    guard serverNames.count <= Limit.serverNames else {
      throw ValidationError("at most \(Limit.serverNames) times --server-name")
    }
    guard ControlAddress(listen) != nil else {
      throw ValidationError("--listen is HOST:PORT, not \"\(listen)\"")
    }
    if let oidcIssuer, jwksFile == nil, !oidcIssuer.hasPrefix("https://") {
      throw ValidationError("--oidc-issuer is an https URL, or give --jwks-file")
    }
    guard jwksFile == nil || oidcIssuer != nil else {
      throw ValidationError("--jwks-file needs --oidc-issuer")
    }
    guard oidcRootCert == nil || oidcIssuer != nil && jwksFile == nil else {
      throw ValidationError("--oidc-root-cert needs --oidc-issuer, and no --jwks-file")
    }
    guard admin.address.ip.isLoopback else {
      throw ValidationError("--admin is a loopback address; see --metrics-address")
    }
    try validateLifetimes()
  }

  private func validateLifetimes() throws {
    let (least, most) = (AuthorityLimit.shortestLeafLifetime, AuthorityLimit.longestLeafLifetime)
    guard least <= maxLifetime.duration, maxLifetime.duration <= most else {
      throw ValidationError("--max-lifetime is \(least) to \(most)")
    }
    guard least <= defaultLifetime.duration, defaultLifetime.duration <= maxLifetime.duration else {
      throw ValidationError("--default-lifetime is \(least) to --max-lifetime")
    }
  }

  func run() async throws {
    do {
      try await runControlPlane(try settings())
    } catch {
      CurrentProcess.writeError("control-plane: \(error)")
      throw unhealthy
    }
  }

  func settings() throws -> RunSettings {
    guard let address = ControlAddress(listen) else { throw unhealthy }
    let serving: RunSettings.Serving =
      if let certificateFile, let keyFile {
        .files(certificate: certificateFile, key: keyFile)
      } else {
        .issued(names: serverNames)
      }
    let accounts: Set = nodeAccounts.isEmpty ? ["istio-system/ztunnel"] : Set(nodeAccounts)
    let issuer = oidcIssuer.map { url in
      RunSettings.Issuer(
        url: url, audience: oidcAudience,
        keys: jwksFile.map { .file($0) } ?? .issuer(roots: oidcRootCert),
        nodeAccounts: accounts, nodePrefix: oidcNodePrefix)
    }
    let source: RunSettings.Source =
      if let configDirectory {
        .directory(configDirectory)
      } else {
        .cluster(try cluster.configuration())
      }
    return RunSettings(
      source: source, authority: try cluster.authority(directory: caDirectory), host: address.host,
      port: address.port,
      serving: serving, tokenFile: tokenFile, issuer: issuer,
      revocationFile: revocationFile,
      review: cluster.review(nodeAccounts: accounts, hasIssuer: issuer != nil),
      lifetimes: LifetimeRule(standard: defaultLifetime.duration, most: maxLifetime.duration),
      trustDomain: trustDomain, clusterDomain: clusterDomain, admin: admin.address,
      metrics: metricsAddress?.address, logFormat: logFormat,
      enrolsInjectionLabel: cluster.enrollInjectionLabel)
  }
}
