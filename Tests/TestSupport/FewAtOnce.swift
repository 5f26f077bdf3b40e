package import Testing

/// Lets a few of all tests marked so run at once, whatever the number of tests.
///
/// Swift Testing starts every test of a program at the same time. Ninety servers and their clients
/// in one process then wait for two cores, and what a limit of time ends says nothing of the code.
package struct FewAtOnce: SuiteTrait, TestTrait, TestScoping {
  /// Two cores are kept busy while half of the tests wait for a clock.
  private static let places = Places(4)

  package let isRecursive = true

  package func scopeProvider(for test: Test, testCase: Test.Case?) -> Self? {
    testCase == nil ? nil : self
  }

  @concurrent @Sendable package func provideScope(
    for test: Test, testCase: Test.Case?,
    performing function: @concurrent @Sendable () async throws -> Void
  ) async throws {
    try await Self.places.withOne { try await function() }
  }
}

extension Trait where Self == FewAtOnce {
  /// For suites whose tests run servers, processes or much arithmetic of their own.
  package static var fewAtOnce: Self { FewAtOnce() }
}
