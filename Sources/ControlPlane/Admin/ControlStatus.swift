import MeshCompiler
import Telemetry

/// The state of a control plane, for people and programs.
struct ControlStatus: Codable, Hashable, Sendable {
  struct Mesh: Codable, Hashable, Sendable {
    var generation: UInt64
    var changedAt: String?
    var workloads: Int
    var services: Int
    var policies: Int
    /// The manifests on disk have errors; an earlier generation is served.
    var isStale: Bool
    var errors: Int
    var refused: Int
    var warnings: Int
    var diagnostics: [String]
    /// In the mesh, and too large or malformed to be sent.
    var omitted: [String]
    /// From reading the last change to the generation made of it.
    var compilationMilliseconds: Double
  }

  struct Authority: Codable, Hashable, Sendable {
    var expires: String
    var roots: Int
    var issued: UInt64
    var refused: UInt64
    /// When the certificate of this port expires; absent when it came from files.
    var servingExpires: String?
  }

  struct Authentication: Codable, Hashable, Sendable {
    var staticTokens: Int?
    var issuer: String?
    var issuerKeys: Int?
    /// Of client certificates; absent when nobody asked for any.
    var revocations: Revocations?
    /// The audience of tokens that the cluster's API server reviews.
    var reviews: String?
  }

  struct Revocations: Codable, Hashable, Sendable {
    var file: String
    /// `enforced`, `last good` or `refusing`.
    var state: String
    var entries: Int
    /// When the first list wanted to be replaced; a list that is past it still counts.
    var nextUpdate: String?
    var isOutdated: Bool
    /// Authorities of lists whose signature cannot be checked here.
    var unknownIssuers: [String]
  }

  var version: String
  var trustDomain: String
  /// What is wrong; empty when healthy.
  var problems: [String]
  var connections: Int
  var residentBytes: UInt64
  var mesh: Mesh
  var authority: Authority
  var authentication: Authentication
  /// How each resource of the cluster is followed; absent with a directory of manifests.
  var cluster: [Cluster.ResourceStatus]?
  /// How the root is kept in every namespace; absent with an authority in a directory.
  var rootConfigMaps: RootPublication.Status?
  var streamCount: Int
  /// The first of them, by node.
  var streams: [StreamStatus]

  var isHealthy: Bool { problems.isEmpty }
}

extension ControlStatus {
  func text(colours: Bool) -> String {
    var text = "control-plane \(version), trust domain \(trustDomain)\n"
    text += "  health        \(isHealthy ? "healthy" : problems.joined(separator: "; "))\n"
    text += "  mesh          generation \(mesh.generation)\(mesh.isStale ? ", stale" : ""): "
    text += "\(mesh.workloads) workloads, \(mesh.services) services, \(mesh.policies) policies\n"
    text += "  manifests     \(mesh.errors) errors, \(mesh.refused) refused, "
    text += "\(mesh.warnings) warnings\n"
    text += "  authority     expires \(authority.expires), \(authority.roots) roots, "
    text += "\(authority.issued) certificates issued, \(authority.refused) refused\n"
    if let revocations = authentication.revocations {
      text += "  revocations   \(revocations.state), \(revocations.entries) entries"
      text += revocations.isOutdated ? ", past their next update; they still count\n" : "\n"
    }
    if let copies = rootConfigMaps {
      text += "  root          \(copies.isLeading ? "written here" : "written by another replica")"
      text += copies.outdated.map { ", \($0) ConfigMaps out of date" } ?? ""
      text += copies.problem.map { ": \($0)\n" } ?? "\n"
    }
    text += "  connections   \(connections), \(streamCount) streams\n\n"
    for diagnostic in mesh.diagnostics { text += diagnostic + "\n" }
    if let cluster { text += resourceTable(cluster).rendered(colours: colours) + "\n" }
    var table = Table(columns: ["NODE", "PEER", "SINCE", "GENERATION", "SENT", "REFUSED"])
    table.rows = streams.map { stream in
      let isCurrent = stream.generation == mesh.generation
      let sent = (stream.addresses?.resources ?? 0) + (stream.policies?.resources ?? 0)
      return [
        Table.Cell(stream.node), Table.Cell(stream.peer), Table.Cell(stream.since),
        Table.Cell(stream.generation.map { "\($0)" } ?? "", isCurrent ? .good : .warning),
        Table.Cell("\(sent)"),
        Table.Cell("\(stream.refused)", stream.refused == 0 ? .plain : .bad),
      ]
    }
    return text + table.rendered(colours: colours)
  }

  private func resourceTable(_ rows: [Cluster.ResourceStatus]) -> Table {
    var table = Table(columns: ["RESOURCE", "STATE", "OBJECTS", "PROBLEM"])
    table.rows = rows.map { row in
      let state: Table.Cell =
        if !row.isSynced {
          Table.Cell("not read yet", .bad)
        } else if row.problem != nil {
          Table.Cell("out of date", .warning)
        } else {
          Table.Cell(row.isAbsent ? "not served" : "in sync", .good)
        }
      return [
        Table.Cell(row.kind), state, Table.Cell("\(row.objects)"), Table.Cell(row.problem ?? ""),
      ]
    }
    return table
  }
}
