import Glibc
package import Testing
import TestSupport

/// Gives a suite one mesh of its own, made before its first test and ended after its last.
package struct MeshTrait: SuiteTrait, TestScoping {
  /// Meshes at once: their tests wait for clocks and for each other's programs most of the time.
  private static let places = Places(3)

  package var arguments: [String]
  package var prepare: @Sendable (Mesh) async throws -> Void

  @concurrent @Sendable package func provideScope(
    for test: Test, testCase: Test.Case?,
    performing function: @concurrent @Sendable () async throws -> Void
  ) async throws {
    try await Self.places.withOne {
      let mesh = try await Mesh(arguments: arguments)
      do {
        try await prepare(mesh)
        try await Mesh.$current.withValue(mesh) { try await function() }
      } catch {
        await mesh.tearDown()
        throw error
      }
      await mesh.tearDown()
    }
  }
}

extension Trait where Self == MeshTrait {
  package static func mesh(
    arguments: [String] = [], _ prepare: @escaping @Sendable (Mesh) async throws -> Void
  ) -> Self {
    MeshTrait(arguments: arguments, prepare: prepare)
  }
}
