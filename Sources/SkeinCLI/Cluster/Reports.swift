import FoundationEssentials
import KubernetesClient

/// As much of `node-agent status -o json` as is shown for a whole mesh.
struct NodeReport: Decodable, Hashable, Sendable {
  struct Node: Decodable, Hashable, Sendable {
    var version: String
    var isHealthy: Bool
    var problems: [String]
  }

  struct ZTunnel: Decodable, Hashable, Sendable {
    var state: String
    var isConnected: Bool
  }

  struct Model: Decodable, Hashable, Sendable {
    var generation: UInt64
    var enforcedGeneration: UInt64
  }

  struct Pod: Decodable, Hashable, Sendable {
    var namespace: String
    var name: String
    var state: String
    var reason: String?
  }

  var node: Node
  var ztunnel: ZTunnel
  var model: Model
  var pods: [Pod]
}

/// As much of `control-plane status -o json` as is shown for a whole mesh.
struct PlaneReport: Decodable, Hashable, Sendable {
  struct Mesh: Decodable, Hashable, Sendable {
    var generation: UInt64
    var workloads: Int
    var services: Int
    var policies: Int
  }

  struct Kind: Decodable, Hashable, Sendable {
    var generation: UInt64?
    var refused: UInt64
    var lastRefusal: String?
  }

  struct Stream: Decodable, Hashable, Sendable {
    var node: String
    var peer: String
    var since: String
    var addresses: Kind?
    var policies: Kind?

    /// What the node has answered all of.
    var generation: UInt64? {
      guard let addresses = addresses?.generation, let policies = policies?.generation else {
        return nil
      }
      return min(addresses, policies)
    }

    var refused: UInt64 { (addresses?.refused ?? 0) + (policies?.refused ?? 0) }
    var lastRefusal: String? { addresses?.lastRefusal ?? policies?.lastRefusal }
  }

  var version: String
  var problems: [String]
  var mesh: Mesh
  var streamCount: Int
  var streams: [Stream]
}

/// What a program answered, or why it did not.
enum Answer<Value: Hashable & Sendable>: Hashable, Sendable {
  case value(Value)
  case problem(String)

  var value: Value? { if case .value(let value) = self { value } else { nil } }
  var problem: String? { if case .problem(let problem) = self { problem } else { nil } }
}

extension Installation {
  func nodeReport(of agent: PodFacts) async -> Answer<NodeReport> {
    await report(NodeReport.self, .nodeAgent, agent, ["status", "-o", "json"])
  }

  func nodePods(of agent: PodFacts) async -> Answer<[NodeReport.Pod]> {
    await report([NodeReport.Pod].self, .nodeAgent, agent, ["status", "pods", "-o", "json"])
  }

  func planeReport(of replica: PodFacts) async -> Answer<PlaneReport> {
    await report(PlaneReport.self, .controlPlane, replica, ["status", "-o", "json"])
  }

  /// Programs that are not healthy answer too, with exit code 1.
  private func report<Value: Decodable & Hashable & Sendable>(
    _ type: Value.Type, _ part: Part, _ pod: PodFacts, _ words: [String]
  ) async -> Answer<Value> {
    do {
      let output = try await ask(part, in: pod, words)
      guard !output.output.isEmpty else {
        throw InstallationError.noAnswer(
          pod: pod.name, exitCode: output.exitCode, text: line(output.error))
      }
      do {
        return .value(try JSONDecoder().decode(type, from: Data(output.output)))
      } catch {
        throw InstallationError.unreadable(pod: pod.name, reason: "\(error)")
      }
    } catch {
      return .problem("\(error)")
    }
  }
}

/// What a program wrote, in one line.
func line(_ bytes: [UInt8]) -> String {
  String(decoding: bytes.prefix(Limit.lineBytes), as: UTF8.self)
    .split(whereSeparator: \.isNewline).joined(separator: "; ")
}
