import ControlAPI
import Foundation
import IstioAPI
import Linux
import SwiftProtobuf
import Testing

/// What a node agent hears of the mesh.
struct NodeStream {
  let stream: DiscoveryStream
  private(set) var resources: [String: Google_Protobuf_Any] = [:]

  static let address = "type.googleapis.com/istio.workload.Address"
  static let policy = "type.googleapis.com/istio.security.Authorization"

  init(_ stream: DiscoveryStream) {
    self.stream = stream
  }

  mutating func ask(_ type: String) async throws(ControlError) {
    try await stream.send(
      .with {
        $0.typeURL = type
        $0.node.id = "ztunnel~10.0.0.9~agent.e2e~e2e.svc.cluster.local"
      })
  }

  /// Takes what comes until a resource of that name is there.
  mutating func wait(for name: String) async throws(ControlError) {
    while resources[name] == nil {
      guard let response = try await stream.next() else { throw .ended }
      for resource in response.resources { resources[resource.name] = resource.resource }
      for name in response.removedResources { resources[name] = nil }
      try await stream.send(
        .with {
          $0.typeURL = response.typeURL
          $0.responseNonce = response.nonce
        })
    }
  }
}

extension ClusterFixture {
  /// As who holds `token` reaches the control plane.
  func settings(token: String) throws -> ChannelSettings {
    let path = "\(directory)/token-\(UUID().uuidString)"
    try File.replace(path, with: Array(token.utf8))
    return ChannelSettings(
      address: ControlAddress(host: "127.0.0.1", port: UInt16(port)),
      roots: .file("\(directory)/ca/ca.crt"), tokenFile: path)
  }

  /// Runs `body` with a stream of the agent on `node`.
  func asAgent(
    on node: String, ip: String, _ body: (inout NodeStream) async throws(ControlError) -> Void
  ) async throws {
    let pod = "agent-\(node)"
    let uid = try await makePod(pod, node: node, ip: ip, account: "agent")
    let settings = try settings(token: try await token(account: "agent", pod: pod, uid: uid))
    try await DiscoveryStream.open(settings) { stream throws(ControlError) in
      var node = NodeStream(stream)
      try await body(&node)
    }
  }

  func workload(_ name: String) -> String { "Kubernetes//Pod/\(namespace)/\(name)" }
}
