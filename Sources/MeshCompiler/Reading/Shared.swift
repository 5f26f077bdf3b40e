/// A value that is kept once and handed around by reference.
final class Shared<Value: Equatable & Sendable>: Sendable {
  let value: Value

  init(_ value: Value) {
    self.value = value
  }
}

extension Shared: Equatable {
  static func == (a: Shared, b: Shared) -> Bool { a === b || a.value == b.value }
}
