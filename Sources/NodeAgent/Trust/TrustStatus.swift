import MeshModel
import Telemetry

/// Whom this node trusts beside its own authority's roots, and whom it does not any more.
struct TrustStatus: Codable, Equatable, Sendable {
  var revocations = RevocationStatus()
  var bundles: [BundleStatus] = []
  /// True when ztunnel has taken over what is told here.
  var isEnforced = false
  /// Why ztunnel did not take the last state.
  var rejection: String?
}

struct RevocationStatus: Codable, Equatable, Sendable {
  /// `off`, `enforced`, `last good` or `refusing`.
  var state = "off"
  var file: String?
  /// When the file was read; absent when an earlier node agent did.
  var loadedAt: String?
  var lists = 0
  var entries = 0
  /// When the first list wanted to be replaced; a list that is past it still counts.
  var nextUpdate: String?
  var isOutdated = false
  /// Authorities of lists whose signature cannot be checked here.
  var unknownIssuers: [String] = []
  var lastError: String?
}

struct BundleStatus: Codable, Equatable, Sendable {
  var trustDomain: String
  var file: String
  var roots: Int
  var loadedAt: String?
  var lastError: String?
}

extension TrustKeeper {
  var status: TrustStatus {
    TrustStatus(
      revocations: state.revocationStatus(at: now),
      bundles: state.settings.bundles.sorted { $0.key < $1.key }.map { trustDomain, file in
        let bundle = state.bundles[trustDomain]
        return BundleStatus(
          trustDomain: trustDomain, file: file, roots: bundle?.roots.count ?? 0,
          loadedAt: bundle?.loadedAt?.timestamp, lastError: state.bundleErrors[trustDomain])
      },
      isEnforced: isEnforced, rejection: rejection)
  }
}

extension TrustState {
  func revocationStatus(at now: WallTime) -> RevocationStatus {
    var status = RevocationStatus()
    guard let file = settings.revocationFile else { return status }
    status.file = file
    status.lastError = revocationError
    guard let revocations else {
      status.state = "refusing"
      return status
    }
    status.state = revocationError == nil ? "enforced" : "last good"
    status.loadedAt = revocations.loadedAt?.timestamp
    status.lists = revocations.lists.count
    status.entries = revocations.entries
    status.nextUpdate = revocations.nextUpdate?.timestamp
    status.isOutdated = revocations.nextUpdate.map { $0 < now } ?? false
    status.unknownIssuers = revocations.unknownIssuers
    return status
  }
}

extension StatusReport {
  func trustText(colours: Bool) -> String {
    let list = trust.revocations
    var pairs: [(String, Table.Cell)] = [("own domain", Table.Cell(node.trustDomain))]
    let tone: Table.Tone =
      switch list.state {
      case "enforced": .good
      case "off": .plain
      default: .bad
      }
    pairs.append(("revocations", Table.Cell(list.state, tone)))
    if let file = list.file {
      pairs += [
        ("file", Table.Cell(file)),
        ("loaded", Table.Cell(list.loadedAt ?? (list.state == "refusing" ? "never" : "before"))),
        ("lists", Table.Cell(String(list.lists))),
        ("entries", Table.Cell(String(list.entries))),
      ]
      if let next = list.nextUpdate {
        let late = list.isOutdated ? " (past; it still counts)" : ""
        pairs.append(("next update", Table.Cell(next + late, list.isOutdated ? .warning : .plain)))
      }
      pairs += list.unknownIssuers.map { ("not checked", Table.Cell("signed by \($0)", .warning)) }
      if let error = list.lastError { pairs.append(("last error", Table.Cell(error, .bad))) }
    }
    for bundle in trust.bundles {
      let error = bundle.lastError.map { ": \($0)" } ?? ""
      pairs.append(
        (
          "bundle",
          Table.Cell(
            "\(bundle.trustDomain), \(bundle.roots) roots, \(bundle.file)\(error)",
            bundle.lastError == nil ? .good : .bad)
        ))
    }
    pairs.append(
      (
        "ztunnel",
        trust.isEnforced
          ? Table.Cell("enforces it", .good)
          : Table.Cell(trust.rejection.map { "refused it: \($0)" } ?? "has not taken it", .bad)
      ))
    return Pairs(pairs).rendered(colours: colours)
  }
}
