import FoundationEssentials

/// What an installation is for.
enum Profile: String, CaseIterable, Codable, Sendable {
  /// As few parts as can be: one replica, nothing chained into the nodes' networks.
  case minimal
  /// What `manifests/` holds: two replicas with a disruption budget, and the CNI plugin.
  case `default`
  /// For the guides that users follow: one replica, and namespaces labelled istio-injection count.
  case demo
}

/// What is asked of an installation beside its place and its image; nil is what nobody asked for.
///
/// It stays with the installation, as an annotation of its DaemonSet, so that an upgrade that says
/// nothing of the trust domain does not take it away.
struct InstallationChoices: Codable, Hashable, Sendable {
  static let annotation = "skein.dev/install-choices"

  var profile: Profile?
  var replicas: Int?
  var enrollInjectionLabel: Bool?
  var trustDomain: String?
  var cniConfDir: String?
  var cniBinDir: String?
  var probeProcess: String?

  init() {}

  /// Those that an installation was made with.
  init(annotation text: String) throws(InstallerError) {
    do {
      self = try JSONDecoder().decode(InstallationChoices.self, from: Data(text.utf8))
    } catch {
      throw .unreadableChoices(text)
    }
  }

  /// For the annotation; nil when nothing was asked for.
  var text: String? {
    guard self != InstallationChoices() else { return nil }
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    do {
      return String(decoding: try encoder.encode(self), as: UTF8.self)
    } catch {
      preconditionFailure("texts and numbers that are no JSON: \(error)")
    }
  }

  /// These, and of the earlier ones what is not asked for anew.
  func over(_ earlier: InstallationChoices) -> InstallationChoices {
    var all = self
    all.profile = profile ?? earlier.profile
    all.replicas = replicas ?? earlier.replicas
    all.enrollInjectionLabel = enrollInjectionLabel ?? earlier.enrollInjectionLabel
    all.trustDomain = trustDomain ?? earlier.trustDomain
    all.cniConfDir = cniConfDir ?? earlier.cniConfDir
    all.cniBinDir = cniBinDir ?? earlier.cniBinDir
    all.probeProcess = probeProcess ?? earlier.probeProcess
    return all
  }
}

extension InstallationChoices: CustomStringConvertible {
  /// As they are given on the command line.
  var description: String {
    let flags: [(String, String?)] = [
      ("profile", profile?.rawValue), ("replicas", replicas.map { "\($0)" }),
      ("trust-domain", trustDomain), ("cni-conf-dir", cniConfDir), ("cni-bin-dir", cniBinDir),
      ("probe-process", probeProcess),
    ]
    var words = flags.compactMap { name, value in value.map { "--\(name) \($0)" } }
    switch enrollInjectionLabel {
    case true?: words.append("--enroll-injection-label")
    case false?: words.append("--no-enroll-injection-label")
    case nil: break
    }
    return words.joined(separator: " ")
  }
}
