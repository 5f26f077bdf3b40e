import Foundation
import KubernetesClient
import Linux
import MeshModel
import NIOCore
import NIOPosix

extension ScriptedServer {
  /// How a program finds this server.
  package var kubeconfig: String {
    """
    apiVersion: v1
    kind: Config
    current-context: test
    contexts: [{name: test, context: {cluster: test, user: test}}]
    users: [{name: test, user: {token: token-1}}]
    clusters:
    - name: test
      cluster:
        server: \(configuration.server)
        certificate-authority-data: \(Data(configuration.authority).base64EncodedString())
    """
  }
}

extension ServerBootstrap {
  /// On a free port of 127.0.0.1.
  func listening(in namespacePath: String?) async throws -> any Channel {
    guard let namespacePath else { return try await bind(host: "127.0.0.1", port: 0).get() }
    let namespace = try NetworkNamespace.open(path: namespacePath)
    let socket = try namespace.run { () throws(LinuxError) in
      try Socket.listener(on: SocketAddress(ip: .v4(0x7f00_0001), port: 0))
    }
    return try await withBoundSocket(socket.takeDescriptor().release()).get()
  }
}
