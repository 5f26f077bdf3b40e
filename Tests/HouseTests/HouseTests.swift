import Testing

/// The architecture, written once more as facts a machine can check.
///
/// A target may import the modules in its row and nothing else.
private let mayImport: [String: Set<String>] = [
  "MeshModel": [],
  "HBONE": ["MeshModel"],
  "Identity": ["MeshModel"],
  "MeshCompiler": ["MeshModel"],
  "MeshAnalysis": ["MeshCompiler", "MeshModel"],
  "AgentProtocol": ["MeshModel"],
  "DNS": ["MeshModel"],
  "CNI": [],
  "XDS": ["IstioAPI", "MeshModel", "SwiftProtobuf"],
  "IstioAPI": ["Foundation", "SwiftProtobuf"],
  "Linux": ["CLinux", "Glibc", "MeshModel", "Synchronization"],
  "TLS": ["CGCM", "COpenSSL", "Glibc", "Identity", "Linux", "MeshModel"],
  "Redirect": ["CBPF", "Glibc", "Linux", "MeshModel"],
  "Manifests": ["FoundationEssentials", "Linux", "MeshCompiler", "MeshModel", "Yams"],
  "CertificateAuthority": [
    "Crypto", "FoundationEssentials", "Glibc", "Identity", "MeshModel", "SwiftASN1", "X509",
  ],
  "KubernetesClient": [
    "AsyncHTTPClient", "FoundationEssentials", "Linux", "Logging", "MeshCompiler", "MeshModel",
    "NIOCore", "NIOHTTP1", "NIOPosix", "NIOSSL", "NIOWebSocket", "Synchronization", "Yams",
  ],
  "ControlAPI": [
    "FoundationEssentials", "GRPCCore", "GRPCNIOTransportHTTP2Posix", "GRPCProtobuf", "IstioAPI",
    "Linux",
    "MeshModel", "NIOCore", "NIOPosix", "NIOSSL", "NIOTLS", "SwiftASN1", "SwiftProtobuf",
    "Synchronization", "X509",
  ],
  "Commands": ["ArgumentParser", "FoundationEssentials", "Linux"],
  "Telemetry": ["Linux", "Logging", "MeshModel", "Synchronization"],
  "ControlPlane": [
    "ArgumentParser", "AsyncHTTPClient", "CertificateAuthority", "Commands", "ControlAPI",
    "FoundationEssentials", "HTTPTypes", "Hummingbird", "Identity", "IstioAPI", "JWTKit",
    "KubernetesClient", "Linux", "Logging", "Manifests", "MeshCompiler", "MeshModel", "NIOCore",
    "NIOHTTP1", "NIOSSL", "ServiceLifecycle", "SwiftProtobuf", "Synchronization", "Telemetry",
    "UnixSignals",
    "XDS",
  ],
  "ZTunnel": [
    "AgentProtocol", "DNS", "HBONE", "Identity", "Linux", "MeshModel", "Synchronization", "TLS",
  ],
  "SkeinCNI": ["CNI", "Linux", "MeshModel"],
  "SkeinCLI": [
    "ArgumentParser", "Commands", "FoundationEssentials", "KubernetesClient", "Linux",
    "Manifests", "MeshAnalysis", "MeshCompiler", "MeshModel", "Synchronization", "Telemetry",
  ],
  "NodeAgent": [
    "AgentProtocol", "ArgumentParser", "AsyncHTTPClient", "CNI", "CertificateAuthority", "Commands",
    "ControlAPI", "FoundationEssentials", "HTTPTypes", "Hummingbird", "Identity", "IstioAPI",
    "KubernetesClient",
    "Linux", "Logging", "Manifests", "MeshCompiler", "MeshModel", "NIOCore", "Redirect",
    "ServiceLifecycle",
    "Synchronization", "Telemetry", "UnixSignals", "XDS",
  ],
]

/// Targets in which nothing happens: values in, decisions out.
private let pureTargets: Set = [
  "MeshModel", "HBONE", "Identity", "MeshCompiler", "MeshAnalysis", "AgentProtocol", "DNS", "XDS",
  "CNI",
]

/// Targets that touch memory they do not own.
private let unsafeTargets: Set = ["Linux", "TLS", "Redirect"]

/// Words that have a better answer here.
private let banned: [(word: String, instead: String)] = [
  ("import Foundation\n", "FoundationEssentials, and only at an edge"),
  ("fatalError(", "preconditionFailure, with the broken invariant"),
  ("try? ", "a catch that says why the error may be dropped"),
  ("@unchecked Sendable", "Mutex, Atomic or an actor"),
  ("Task.detached", "a child task of the owner"),
  ("FIXME", "a fix"),
]

/// Words that make a pure target depend on when and where it runs.
private let impure: [(word: String, instead: String)] = [
  ("ContinuousClock", "an Instant argument"),
  ("SystemRandomNumberGenerator", "a random number argument"),
  (".random(", "a random number argument"),
  ("async ", "a synchronous decision; the caller waits"),
]

@Suite struct `The house rules hold` {
  @Test(arguments: SourceFile.all(under: "Sources"))
  func `a file imports only what its layer may`(file: SourceFile) throws {
    let allowed = try #require(mayImport[file.target], "target \(file.target) has no row")
    #expect(file.imports.subtracting(allowed).isEmpty)
  }

  @Test(arguments: SourceFile.all(under: "Sources"))
  func `a file has no banned word`(file: SourceFile) {
    for (word, instead) in banned where file.text.contains(word) {
      Issue.record("\(file): “\(word)” is banned, use \(instead)")
    }
  }

  @Test(arguments: SourceFile.all(under: "Sources").filter { pureTargets.contains($0.target) })
  func `a pure file neither reads clocks nor rolls dice nor waits`(file: SourceFile) {
    for (word, instead) in impure where file.text.contains(word) {
      Issue.record("\(file): “\(word)” does not belong in a pure target, use \(instead)")
    }
  }

  @Test(arguments: SourceFile.all(under: "Sources"))
  func `unsafe code lives only at the edges`(file: SourceFile) {
    #expect(unsafeTargets.contains(file.target) || !file.code.contains("unsafe "))
  }

  @Test(arguments: SourceFile.all(under: "Sources") + SourceFile.all(under: "Tests"))
  func `a file fits in a reader's head`(file: SourceFile) {
    #expect(file.lineCount <= 400)
  }

  @Test(arguments: SourceFile.all(under: "Sources"))
  func `a function fits on a page`(file: SourceFile) {
    for (name, length) in file.functionLengths where length > 60 {
      Issue.record("\(file): \(name) has \(length) lines, 60 are allowed")
    }
  }

  @Test(arguments: SourceFile.all(under: "Sources"))
  func `a type is named for what it is`(file: SourceFile) {
    for name in file.typeNames {
      for suffix in ["Manager", "Helper", "Util", "Utils", "Info"] where name.hasSuffix(suffix) {
        Issue.record("\(file): \(name) says nothing, name what it holds or decides")
      }
    }
  }

  @Test(arguments: Array(mayImport.keys).sorted())
  func `a target has a front door that says what goes in and out`(target: String) throws {
    let door = SourceFile.all(under: "Sources/\(target)").first {
      $0.path == "Sources/\(target)/\(target).swift"
    }
    #expect(try #require(door, "Sources/\(target)/\(target).swift").text.contains("// "))
  }

  @Test(arguments: SourceFile.all(under: "bpf", suffix: ".c"))
  func `a kernel program fits on a few pages`(file: SourceFile) {
    #expect(file.lineCount <= 200)
  }

  @Test func `the architecture fits in one sitting`() throws {
    let file = try #require(SourceFile.one("ARCHITECTURE.md"))
    #expect(file.lineCount <= 150)
  }

  /// A promise names its tests in backticks after “held by”; each must exist under Tests.
  @Test func `every promise names a test that exists`() throws {
    let specification = try #require(SourceFile.one("SPECIFICATION.md"))
    let tests = SourceFile.all(under: "Tests").map(\.text).joined()
    for name in specification.promisedTests {
      let isThere = tests.contains("`\(name)`")
      #expect(isThere, "no test is called “\(name)”")
    }
    #expect(!specification.promisedTests.isEmpty)
  }
}
