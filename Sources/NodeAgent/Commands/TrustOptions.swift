import ArgumentParser

/// The options that say whom to trust beside our own authority's roots.
struct TrustOptions: ParsableArguments {
  @Option(
    help: """
      File with certificates taken back: X.509 CRLs, PEM or DER; watched. While it cannot be read \
      the last good one stays, and without one nobody is let in. (default: CRL_PATH)
      """)
  var crlFile: String?

  @Option(
    name: .customLong("trust-bundle"),
    help: ArgumentHelp(
      """
      Trust members of another trust domain, verified with the roots in FILE (PEM) and no others; \
      watched, may be repeated.
      """, valueName: "domain=file"))
  var trustBundles: [String] = []

  func settings(
    in environment: RunEnvironment, own trustDomain: String
  ) throws(SettingsError) -> TrustSettings {
    var settings = TrustSettings(revocationFile: crlFile ?? environment["CRL_PATH"])
    for text in trustBundles {
      let parts = text.split(separator: "=", maxSplits: 1).map(String.init)
      guard parts.count == 2, !parts[0].contains("/") else { throw .notABundle(text) }
      guard parts[0] != trustDomain else { throw .ownBundle(trustDomain) }
      guard settings.bundles.updateValue(parts[1], forKey: parts[0]) == nil else {
        throw .twoBundles(parts[0])
      }
    }
    return settings
  }
}
