package import Testing

/// Lets a few of all tests marked so run at once, whatever the number of tests.
///
/// Swift Testing starts every test of a program at the same time. Ninety servers and their clients
/// in one process then wait for two cores, and what a limit of time ends says nothing of the code.
package struct FewAtOnce: SuiteTrait, TestTrait, TestScoping {
  /// Two cores are kept busy while half of the tests wait for a clock.
  static let limit = 4

  package let isRecursive = true

  package func scopeProvider(for test: Test, testCase: Test.Case?) -> Self? {
    testCase == nil ? nil : self
  }

  @concurrent @Sendable package func provideScope(
    for test: Test, testCase: Test.Case?,
    performing function: @concurrent @Sendable () async throws -> Void
  ) async throws {
    await Places.shared.take()
    do {
      try await function()
    } catch {
      await Places.shared.giveBack()
      throw error
    }
    await Places.shared.giveBack()
  }
}

extension Trait where Self == FewAtOnce {
  /// For suites whose tests run servers, processes or much arithmetic of their own.
  package static var fewAtOnce: Self { FewAtOnce() }
}

/// The places of the program's tests; who waits longest is next.
private actor Places {
  static let shared = Places()

  private var free = FewAtOnce.limit
  private var waiting: [CheckedContinuation<Void, Never>] = []

  func take() async {
    guard free == 0 else {
      free -= 1
      return
    }
    await withCheckedContinuation { waiting.append($0) }
  }

  func giveBack() {
    guard !waiting.isEmpty else {
      free += 1
      return
    }
    waiting.removeFirst().resume()
  }
}
