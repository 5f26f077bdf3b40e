import ControlAPI
import IstioAPI
import SwiftProtobuf
import Testing

typealias Request = DiscoveryStream.Request
typealias Response = DiscoveryStream.Response

/// The messages a node sends, by hand: what XDS's client would do is not looked at here.
enum Ask {
  static let address = "type.googleapis.com/istio.workload.Address"
  static let policy = "type.googleapis.com/istio.security.Authorization"

  static func everything(
    _ type: String = address, node: String = "", versions: [String: String] = [:]
  ) -> Request {
    .with {
      $0.typeURL = type
      $0.node = Self.node(node)
      $0.initialResourceVersions = versions
    }
  }

  static func nothingYet() -> Request {
    .with {
      $0.typeURL = address
      $0.node = node("")
      $0.resourceNamesSubscribe = ["*"]
      $0.resourceNamesUnsubscribe = ["*"]
    }
  }

  static func names(_ names: [String]) -> Request {
    .with {
      $0.typeURL = address
      $0.resourceNamesSubscribe = names
    }
  }

  static func acknowledgement(_ response: Response, refusing reason: String? = nil) -> Request {
    .with {
      $0.typeURL = response.typeURL
      $0.responseNonce = response.nonce
      if let reason {
        $0.errorDetail.code = 3
        $0.errorDetail.message = reason
      }
    }
  }

  static func node(_ name: String) -> Envoy_Config_Core_V3_Node {
    .with {
      $0.id = "ztunnel~10.0.0.9~ztunnel-x.istio-system~istio-system.svc.cluster.local"
      if !name.isEmpty {
        $0.metadata.fields["NODE_NAME"] = Google_Protobuf_Value(stringValue: name)
      }
    }
  }
}

extension DiscoveryStream {
  /// The next response, acknowledged.
  func take() async throws(ControlError) -> Response {
    guard let response = try await next() else { throw .ended }
    try await send(Ask.acknowledgement(response))
    return response
  }

  /// Nothing comes for this long.
  func isQuiet(for duration: Duration = .milliseconds(300)) async -> Bool {
    await withTaskGroup(of: Bool.self) { group in
      group.addTask {
        do {
          _ = try await next()
          return false
        } catch {
          return true
        }
      }
      group.addTask {
        do { try await Task.sleep(for: duration) } catch { return true }
        return true
      }
      let isQuiet = await group.next() ?? true
      group.cancelAll()
      return isQuiet
    }
  }
}

extension Response {
  var names: [String] { resources.map(\.name).sorted() }
  var versions: [String: String] {
    Dictionary(uniqueKeysWithValues: resources.map { ($0.name, $0.version) })
  }
}

/// The status a call ended with.
func status(of call: () async throws -> Void) async -> CallStatus? {
  do {
    try await call()
    return nil
  } catch ControlError.status(let status) {
    return status
  } catch {
    Issue.record("ended with \(error), not a status")
    return nil
  }
}

/// Opens a stream and takes its first response.
func openStream(_ settings: ChannelSettings, node: String = "") async -> CallStatus? {
  await status {
    try await DiscoveryStream.open(settings) { stream throws(ControlError) in
      try await stream.send(Ask.everything(node: node))
      _ = try await stream.take()
    }
  }
}

/// Asks for a certificate.
func ask(
  _ settings: ChannelSettings,
  for identity: String? = "spiffe://cluster.local/ns/shop/sa/web"
) async -> CallStatus? {
  await status {
    _ = try await CertificateClient(settings)
      .createCertificate(signingRequest(), lifetime: nil, impersonating: identity)
  }
}

/// Opens a stream and reads until it ends.
func holdStream(_ settings: ChannelSettings) async -> CallStatus? {
  await status {
    try await DiscoveryStream.open(settings) { stream throws(ControlError) in
      try await stream.send(Ask.everything())
      while try await stream.next() != nil {}
    }
  }
}
