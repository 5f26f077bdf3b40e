import Foundation
import Linux
import NodeHarness
import Testing
import TestSupport

extension `Beside other programs` {
  /// Debian's openssl, nghttp and h2load at an enrolled pod's port 15008.
  @Suite(
    .serialized,
    .mesh { mesh in
      try await mesh.addShop()
      try await mesh.startShop()
    })
  struct `a node answers at the command line` {
    /// Runs a script in the stranger's namespace, with `CERT`, `KEY`, `ROOT` and `HOST` set.
    func shell(_ script: String, within limit: Duration = patience) async throws -> String {
      let mesh = try Mesh.shared
      let stranger = try await #require(mesh.pods["stranger"])
      let output = try await NodeHarness.run(
        "nsenter", "--net=/run/netns/\(stranger.netns)", "bash", "-c",
        """
        set -- $(PYTHONPATH=\(Mesh.programs) python3 -Bc \
          'import certificates, sys; print(*certificates.make(sys.argv[1], "good", sys.argv[2]))' \
          \(mesh.authority) \(try await mesh.identity(of: "client")))
        CERT=$1 KEY=$2 ROOT=\(mesh.authority)/ca.crt HOST=\(try await mesh.address(of: "server"))
        (\(script)) 2>&1 | tr -cd '[:print:]\\n'
        """, within: limit, expecting: nil)
      return output.standardOutput
    }

    // MARK: openssl s_client

    /// The preface and empty SETTINGS, and half a second for the answer.
    func handshake(_ options: String) async throws -> String {
      try await shell(
        """
        (printf 'PRI * HTTP/2.0\\r\\n\\r\\nSM\\r\\n\\r\\n\\0\\0\\0\\4\\0\\0\\0\\0\\0'; sleep 0.5) |
          timeout 12 openssl s_client -connect $HOST:15008 -CAfile $ROOT \(options)
        """)
    }

    static let member = "-cert $CERT -key $KEY"

    @Test(arguments: [
      ("-groups X25519", "Server Temp Key: X25519", "TLS_AES"),
      ("-groups P-256", "prime256v1", "TLS_AES"),
      ("-groups P-384:P-256", "prime256v1", "TLS_AES"),
      ("-ciphersuites TLS_AES_128_GCM_SHA256", "X25519", "TLS_AES_128_GCM_SHA256"),
      ("-ciphersuites TLS_AES_256_GCM_SHA384", "X25519", "TLS_AES_256_GCM_SHA384"),
      ("-servername pod.example -status -enable_pha", "X25519", "TLS_AES"),
    ])
    func `a handshake as ztunnel or Envoy would make it`(
      options: String, key: String, suite: String
    ) async throws {
      let said = try await handshake("\(Self.member) -alpn h2 \(options)")
      #expect(said.contains("New, TLSv1.3, Cipher is \(suite)"), "\(said)")
      #expect(said.contains("ALPN protocol: h2") && said.contains(key), "\(said)")
      #expect(said.contains("Verification: OK"), "\(said)")
      #expect(!said.contains("alert"), "\(said)")
      #expect(!said.contains("New Session Ticket"), "there is nothing to resume: \(said)")
    }

    @Test(arguments: [
      ("\(member) -alpn h2 -tls1_2", "protocol version"),
      ("\(member) -alpn http/1.1", "no application protocol"),
      ("\(member)", "no application protocol"),
      ("-alpn h2", "certificate required"),
      ("\(member) -alpn h2 -groups P-384", "handshake failure"),
      ("\(member) -alpn h2 -ciphersuites TLS_CHACHA20_POLY1305_SHA256", "handshake failure"),
      ("\(member) -alpn h2 -sigalgs RSA-PSS+SHA256", "handshake failure"),
    ])
    func `another handshake with an alert`(options: String, alert: String) async throws {
      let mesh = try Mesh.shared
      let unharmed = try await Unharmed(in: mesh)
      let said = try await handshake(options)
      #expect(said.contains("alert \(alert)"), "\(said)")
      try await unharmed.expect("openssl s_client \(options)", in: mesh)
    }

    // MARK: nghttp, h2load

    @Test func `nghttp with its settings, and GET with 400`() async throws {
      let said = try await shell(
        "timeout 12 nghttp -nv -y --cert $CERT --key $KEY https://$HOST:15008/")
      for words in [
        "The negotiated protocol: h2", "SETTINGS_MAX_CONCURRENT_STREAMS(0x03):200",
        "SETTINGS_INITIAL_WINDOW_SIZE(0x04):4194304", "SETTINGS_MAX_FRAME_SIZE(0x05):1048576",
        "SETTINGS_MAX_HEADER_LIST_SIZE(0x06):65536", ":status: 400",
      ] {
        #expect(said.contains(words), "\(words) in \(said)")
      }
      // From 65 535 to 16 MiB.
      #expect(said.contains("window_size_increment=16711681"), "\(said)")
    }

    /// h2load has no client certificate, so wrap.py puts its connections into a member's TLS.
    func load(_ options: String) async throws -> String {
      let mesh = try Mesh.shared
      let server = try await mesh.address(of: "server")
      let wrap = try await mesh.spawn(in: "stranger", "wrap.py", mesh.authority, server, "7000")
      try await wrap.waitFor("ready")
      let said = try await shell("timeout 25 h2load -p h2c \(options) http://127.0.0.1:7000/")
      wrap.signal(.kill)
      _ = try await wrap.finish()
      return said
    }

    @Test func `5000 requests of h2load on 20 connections, each as it should`() async throws {
      let mesh = try Mesh.shared
      let unharmed = try await Unharmed(in: mesh)
      // More streams at once than the cap: h2load waits, as it is told to.
      let said = try await load("-n 5000 -c 20 -m 500")
      #expect(said.contains("5000 done") && said.contains("0 errored, 0 timeout"), "\(said)")
      #expect(said.contains("5000 4xx"), "CONNECT alone is served: \(said)")
      try await unharmed.expect("h2load", in: mesh)
    }

    @Test func `20 000 malformed requests of h2load for as long as there are few`() async throws {
      let mesh = try Mesh.shared
      let unharmed = try await Unharmed(in: mesh)
      // CONNECT with :path and :scheme.
      let said = try await load("-n 20000 -c 1 -m 1000 -H ':method: CONNECT'")
      #expect(said.contains("20000 errored"), "\(said)")
      let done = try #require(said.firstMatch(of: /([0-9]+) done/)?.output.1)
      // As many as may be open before our cap is acknowledged, and a few.
      #expect(try #require(Int(done)) < 2_000, "the connection was given up early: \(said)")
      try await unharmed.expect("malformed requests", in: mesh)
    }
  }
}
