import Linux
import NodeHarness
import Testing

/// Makes a control group for a suite and removes it after.
struct ControlGroupTrait: SuiteTrait, TestScoping {
  var name: String

  @concurrent @Sendable func provideScope(
    for test: Test, testCase: Test.Case?,
    performing function: @concurrent @Sendable () async throws -> Void
  ) async throws {
    let group = try ControlGroup.root().make(name)
    do {
      try await function()
    } catch {
      _ = try group.remove()
      throw error
    }
    try await eventually("the group is empty") { try group.remove() != .busy }
  }
}

extension Trait where Self == ControlGroupTrait {
  static func controlGroup(_ name: String) -> Self { ControlGroupTrait(name: name) }
}
