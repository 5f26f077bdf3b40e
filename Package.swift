// swift-tools-version: 6.3

import Glibc
import PackageDescription

/// One set of rules for every Swift target: the language of 7, today.
let house: [SwiftSetting] = [
  .swiftLanguageMode(.v6),
  .enableUpcomingFeature("ExistentialAny"),
  .enableUpcomingFeature("InternalImportsByDefault"),
  .enableUpcomingFeature("MemberImportVisibility"),
  .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
  .enableUpcomingFeature("InferIsolatedConformances"),
  .enableUpcomingFeature("ImmutableWeakCaptures"),
  .enableExperimentalFeature("Lifetimes"),
  .strictMemorySafety(),
  .treatAllWarnings(as: .error),
]

/// Debian's libipsec-mb-dev, where it is installed: several times OpenSSL's speed in AES-GCM.
let cipherArchive = "/usr/lib/x86_64-linux-gnu/libIPSec_MB.a"
let hasFastCipher = access(cipherArchive, R_OK) == 0

let package = Package(
  name: "skein",
  products: [
    .executable(name: "ztunnel", targets: ["ZTunnel"]),
    .executable(name: "node-agent", targets: ["NodeAgent"]),
    .executable(name: "control-plane", targets: ["ControlPlane"]),
    .executable(name: "skein-cni", targets: ["SkeinCNI"]),
    .executable(name: "skein", targets: ["SkeinCLI"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
    .package(url: "https://github.com/apple/swift-asn1", from: "1.7.4"),
    .package(url: "https://github.com/apple/swift-certificates", from: "1.21.1"),
    .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
    .package(url: "https://github.com/apple/swift-http-types", from: "1.8.0"),
    .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
    .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
    .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.37.0"),
    .package(url: "https://github.com/apple/swift-protobuf", from: "1.39.0"),
    .package(url: "https://github.com/grpc/grpc-swift-2", from: "2.4.3"),
    .package(url: "https://github.com/grpc/grpc-swift-nio-transport", from: "2.9.2"),
    .package(url: "https://github.com/grpc/grpc-swift-protobuf", from: "2.4.1"),
    .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.1"),
    .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
    .package(url: "https://github.com/swift-server/async-http-client", from: "1.37.0"),
    .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
    .package(url: "https://github.com/vapor/jwt-kit", from: "5.7.1"),
  ],
  targets: [
    // MARK: Pure: values in, decisions out
    .target(name: "MeshModel", swiftSettings: house),
    .target(name: "HBONE", dependencies: ["MeshModel"], swiftSettings: house),
    .target(name: "Identity", dependencies: ["MeshModel"], swiftSettings: house),
    .target(name: "MeshCompiler", dependencies: ["MeshModel"], swiftSettings: house),
    .target(
      name: "MeshAnalysis", dependencies: ["MeshCompiler", "MeshModel"], swiftSettings: house),
    .target(name: "AgentProtocol", dependencies: ["MeshModel"], swiftSettings: house),
    .target(name: "DNS", dependencies: ["MeshModel"], swiftSettings: house),
    .target(name: "CNI", swiftSettings: house),
    .target(
      name: "XDS",
      dependencies: [
        "IstioAPI", "MeshModel", .product(name: "SwiftProtobuf", package: "swift-protobuf"),
      ],
      swiftSettings: house),

    // MARK: Generated: `make proto` writes these from proto/
    .target(
      name: "IstioAPI",
      dependencies: [.product(name: "SwiftProtobuf", package: "swift-protobuf")],
      swiftSettings: [.swiftLanguageMode(.v6)]),

    // MARK: C: shims and shared layouts
    .target(name: "CLinux"),
    .target(name: "CBPF", linkerSettings: [.linkedLibrary("bpf"), .linkedLibrary("elf")]),
    .target(
      name: "CGCM", cSettings: hasFastCipher ? [.define("CGCM_IPSEC_MB")] : [],
      linkerSettings: hasFastCipher ? [.linkedLibrary(":libIPSec_MB.a")] : []),
    .systemLibrary(name: "COpenSSL", pkgConfig: "openssl", providers: [.apt(["libssl-dev"])]),

    // MARK: Edges: one per outside thing
    .target(name: "Linux", dependencies: ["CLinux", "MeshModel"], swiftSettings: house),
    .target(
      name: "Telemetry",
      dependencies: ["Linux", "MeshModel", .product(name: "Logging", package: "swift-log")],
      swiftSettings: house),
    .target(
      name: "Commands",
      dependencies: [
        "Linux", .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ],
      swiftSettings: house),
    .target(
      name: "TLS", dependencies: ["CGCM", "COpenSSL", "Linux", "MeshModel", "Identity"],
      swiftSettings: house),
    .target(
      name: "Redirect", dependencies: ["CBPF", "Linux", "MeshModel"], swiftSettings: house),
    .target(
      name: "Manifests",
      dependencies: [
        "Linux", "MeshCompiler", "MeshModel", .product(name: "Yams", package: "Yams"),
      ],
      swiftSettings: house),
    .target(
      name: "CertificateAuthority",
      dependencies: [
        "Identity", "MeshModel",
        .product(name: "Crypto", package: "swift-crypto"),
        .product(name: "SwiftASN1", package: "swift-asn1"),
        .product(name: "X509", package: "swift-certificates"),
      ],
      swiftSettings: house),

    .target(
      name: "KubernetesClient",
      dependencies: [
        "Linux", "MeshCompiler", "MeshModel",
        .product(name: "AsyncHTTPClient", package: "async-http-client"),
        .product(name: "Logging", package: "swift-log"),
        .product(name: "NIOCore", package: "swift-nio"),
        .product(name: "NIOHTTP1", package: "swift-nio"),
        .product(name: "NIOPosix", package: "swift-nio"),
        .product(name: "NIOSSL", package: "swift-nio-ssl"),
        .product(name: "NIOWebSocket", package: "swift-nio"),
        .product(name: "Yams", package: "Yams"),
      ],
      swiftSettings: house),

    .target(
      name: "ControlAPI",
      dependencies: [
        "IstioAPI", "Linux", "MeshModel",
        .product(name: "GRPCCore", package: "grpc-swift-2"),
        .product(name: "GRPCNIOTransportHTTP2Posix", package: "grpc-swift-nio-transport"),
        .product(name: "GRPCProtobuf", package: "grpc-swift-protobuf"),
        .product(name: "NIOCore", package: "swift-nio"),
        .product(name: "NIOPosix", package: "swift-nio"),
        .product(name: "NIOSSL", package: "swift-nio-ssl"),
        .product(name: "NIOTLS", package: "swift-nio"),
        .product(name: "SwiftASN1", package: "swift-asn1"),
        .product(name: "SwiftProtobuf", package: "swift-protobuf"),
        .product(name: "X509", package: "swift-certificates"),
      ],
      swiftSettings: house),

    // MARK: Programs: wiring only
    .executableTarget(
      name: "ZTunnel",
      dependencies: ["AgentProtocol", "DNS", "HBONE", "Identity", "Linux", "MeshModel", "TLS"],
      swiftSettings: house),
    .executableTarget(
      name: "SkeinCNI", dependencies: ["CNI", "Linux", "MeshModel"], swiftSettings: house),
    .executableTarget(
      name: "NodeAgent",
      dependencies: [
        "AgentProtocol", "CNI", "CertificateAuthority", "Commands", "ControlAPI", "Identity",
        "IstioAPI", "KubernetesClient", "Linux", "Manifests", "MeshCompiler", "MeshModel",
        "Redirect",
        "Telemetry", "XDS",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
        .product(name: "AsyncHTTPClient", package: "async-http-client"),
        .product(name: "HTTPTypes", package: "swift-http-types"),
        .product(name: "Hummingbird", package: "hummingbird"),
        .product(name: "Logging", package: "swift-log"),
        .product(name: "NIOCore", package: "swift-nio"),
        .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
        .product(name: "UnixSignals", package: "swift-service-lifecycle"),
      ],
      swiftSettings: house),
    .executableTarget(
      name: "ControlPlane",
      dependencies: [
        "CertificateAuthority", "Commands", "ControlAPI", "Identity", "IstioAPI",
        "KubernetesClient", "Linux", "Manifests", "MeshCompiler", "MeshModel", "Telemetry", "XDS",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
        .product(name: "AsyncHTTPClient", package: "async-http-client"),
        .product(name: "HTTPTypes", package: "swift-http-types"),
        .product(name: "Hummingbird", package: "hummingbird"),
        .product(name: "JWTKit", package: "jwt-kit"),
        .product(name: "Logging", package: "swift-log"),
        .product(name: "NIOCore", package: "swift-nio"),
        .product(name: "NIOHTTP1", package: "swift-nio"),
        .product(name: "NIOSSL", package: "swift-nio-ssl"),
        .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
        .product(name: "SwiftProtobuf", package: "swift-protobuf"),
        .product(name: "UnixSignals", package: "swift-service-lifecycle"),
      ],
      swiftSettings: house),
    .executableTarget(
      name: "SkeinCLI",
      dependencies: [
        "Commands", "KubernetesClient", "Linux", "Manifests", "MeshAnalysis", "MeshCompiler",
        "MeshModel", "Telemetry",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ],
      swiftSettings: house),

    // MARK: Tests
    .systemLibrary(
      name: "CNGHTTP2", path: "Tests/CNGHTTP2", pkgConfig: "libnghttp2",
      providers: [.apt(["libnghttp2-dev"])]),
    .target(name: "TestSupport", path: "Tests/TestSupport", swiftSettings: house),
    .testTarget(
      name: "MeshModelTests", dependencies: ["MeshModel", "TestSupport"], swiftSettings: house),
    .testTarget(
      name: "HBONETests", dependencies: ["CNGHTTP2", "HBONE", "MeshModel", "TestSupport"],
      swiftSettings: house),
    .testTarget(
      name: "IdentityTests", dependencies: ["Identity", "MeshModel"], swiftSettings: house),
    .testTarget(
      name: "MeshCompilerTests",
      dependencies: ["Manifests", "MeshCompiler", "MeshModel", "TestSupport"],
      swiftSettings: house),
    .testTarget(
      name: "MeshAnalysisTests",
      dependencies: ["Manifests", "MeshAnalysis", "MeshCompiler", "MeshModel"],
      swiftSettings: house),
    .testTarget(
      name: "AgentProtocolTests", dependencies: ["AgentProtocol", "MeshModel"],
      swiftSettings: house),
    .testTarget(name: "CNITests", dependencies: ["CNI"], swiftSettings: house),
    .testTarget(name: "SkeinCNITests", dependencies: ["CNI", "Linux"], swiftSettings: house),
    .testTarget(
      name: "SkeinCLITests",
      dependencies: [
        "Commands", "KubernetesClient", "KubernetesHarness", "Linux", "Manifests", "MeshCompiler",
        "MeshModel", "NodeHarness", "SkeinCLI", "Telemetry", "TestSupport",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ],
      swiftSettings: house),
    .testTarget(name: "DNSTests", dependencies: ["DNS", "MeshModel"], swiftSettings: house),
    .testTarget(
      name: "XDSTests",
      dependencies: [
        "IstioAPI", "MeshModel", "TestSupport", "XDS",
        .product(name: "SwiftProtobuf", package: "swift-protobuf"),
      ],
      swiftSettings: house),
    .testTarget(
      name: "ControlAPITests",
      dependencies: [
        "CertificateAuthority", "ControlAPI", "IstioAPI", "Linux", "MeshModel", "TestSupport",
        .product(name: "GRPCCore", package: "grpc-swift-2"),
        .product(name: "GRPCProtobuf", package: "grpc-swift-protobuf"),
        .product(name: "SwiftProtobuf", package: "swift-protobuf"),
      ],
      swiftSettings: house),
    .target(
      name: "KubernetesHarness",
      dependencies: [
        "CertificateAuthority", "KubernetesClient", "Linux", "MeshModel", "TestSupport",
        .product(name: "NIOCore", package: "swift-nio"),
        .product(name: "NIOHTTP1", package: "swift-nio"),
        .product(name: "NIOPosix", package: "swift-nio"),
        .product(name: "NIOSSL", package: "swift-nio-ssl"),
        .product(name: "Crypto", package: "swift-crypto"),
      ],
      path: "Tests/KubernetesHarness", swiftSettings: house),
    .testTarget(
      name: "KubernetesClientTests",
      dependencies: [
        "KubernetesClient", "KubernetesHarness", "Linux", "MeshCompiler", "MeshModel",
        "TestSupport",
      ],
      swiftSettings: house),
    .testTarget(
      name: "ControlPlaneTests",
      dependencies: [
        "CertificateAuthority", "Commands", "ControlAPI", "ControlPlane", "IstioAPI",
        "KubernetesClient", "KubernetesHarness", "Linux", "Manifests", "MeshCompiler", "MeshModel",
        "Telemetry", "TestSupport", "XDS",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
        .product(name: "Crypto", package: "swift-crypto"),
        .product(name: "JWTKit", package: "jwt-kit"),
        .product(name: "Logging", package: "swift-log"),
        .product(name: "SwiftASN1", package: "swift-asn1"),
        .product(name: "SwiftProtobuf", package: "swift-protobuf"),
        .product(name: "X509", package: "swift-certificates"),
      ],
      exclude: ["Programs"], swiftSettings: house),
    .testTarget(
      name: "LinuxTests", dependencies: ["Linux", "MeshModel", "TestSupport"], swiftSettings: house),
    .testTarget(
      name: "TLSTests",
      dependencies: [
        "COpenSSL", "CertificateAuthority", "Identity", "Linux", "MeshModel", "TLS",
        .product(name: "Crypto", package: "swift-crypto"),
        .product(name: "SwiftASN1", package: "swift-asn1"),
        .product(name: "X509", package: "swift-certificates"),
      ],
      swiftSettings: house),
    .testTarget(
      name: "RedirectTests",
      dependencies: ["CBPF", "Linux", "MeshModel", "Redirect", "TestSupport"],
      exclude: ["Programs"], swiftSettings: house),
    .testTarget(
      name: "ManifestsTests", dependencies: ["Linux", "Manifests", "MeshCompiler", "MeshModel"],
      swiftSettings: house),
    .testTarget(
      name: "CertificateAuthorityTests",
      dependencies: [
        "CertificateAuthority", "Identity", "Linux", "MeshModel",
        .product(name: "Crypto", package: "swift-crypto"),
        .product(name: "SwiftASN1", package: "swift-asn1"),
        .product(name: "X509", package: "swift-certificates"),
      ],
      swiftSettings: house),
    .testTarget(
      name: "ZTunnelTests",
      dependencies: [
        "AgentProtocol", "HBONE", "Linux", "MeshModel", "TLS", "TestSupport", "ZTunnel",
      ],
      swiftSettings: house),
    .testTarget(
      name: "NodeAgentTests",
      dependencies: [
        "AgentProtocol", "CNI", "Commands", "ControlAPI", "KubernetesClient", "KubernetesHarness",
        "Linux", "MeshCompiler", "MeshModel", "NodeAgent", "Telemetry", "XDS",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ],
      swiftSettings: house),
    .target(
      name: "NodeHarness", dependencies: ["Linux", "TestSupport"], path: "Tests/NodeHarness",
      exclude: ["Programs"], swiftSettings: house),
    .testTarget(
      name: "NodeTests",
      dependencies: ["KubernetesHarness", "Linux", "NodeHarness", "TestSupport"],
      swiftSettings: house),
    .testTarget(
      name: "InteropTests", dependencies: ["Linux", "NodeHarness", "TestSupport"],
      exclude: ["Programs"],
      swiftSettings: house),
    .testTarget(
      name: "KubernetesTests",
      dependencies: [
        "ControlAPI", "IstioAPI", "KubernetesClient", "Linux", "MeshCompiler", "NodeHarness",
        .product(name: "SwiftProtobuf", package: "swift-protobuf"),
      ],
      exclude: ["Objects"], swiftSettings: house),
    .testTarget(name: "HouseTests", swiftSettings: house),
  ]
)
