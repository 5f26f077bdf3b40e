import Foundation
package import Testing

/// A JSON value that is asked by path and answers with nothing where there is nothing.
package enum JSON: Decodable, Sendable {
  case null
  case bool(Bool)
  case number(Double)
  case text(String)
  case list([JSON])
  case fields([String: JSON])

  package init(from decoder: any Decoder) throws {
    let value = try decoder.singleValueContainer()
    if value.decodeNil() {
      self = .null
    } else if let bool = JSON.attempt({ try value.decode(Bool.self) }) {
      self = .bool(bool)
    } else if let number = JSON.attempt({ try value.decode(Double.self) }) {
      self = .number(number)
    } else if let text = JSON.attempt({ try value.decode(String.self) }) {
      self = .text(text)
    } else if let list = JSON.attempt({ try value.decode([JSON].self) }) {
      self = .list(list)
    } else {
      self = .fields(try value.decode([String: JSON].self))
    }
  }

  /// Nil when the value is of another kind.
  private static func attempt<Value>(_ decode: () throws -> Value) -> Value? {
    do { return try decode() } catch { return nil }
  }

  /// Records an issue with `context` when the text is not JSON.
  package init(
    parsing text: String, context: String = "",
    _ location: SourceLocation = #_sourceLocation
  ) throws {
    do {
      self = try JSONDecoder().decode(JSON.self, from: Data(text.utf8))
    } catch {
      Issue.record("not JSON: “\(text)” in:\n\(context)", sourceLocation: location)
      throw error
    }
  }

  package subscript(_ key: String) -> JSON {
    if case .fields(let fields) = self { return fields[key] ?? .null }
    return .null
  }

  package subscript(_ index: Int) -> JSON { array.indices.contains(index) ? array[index] : .null }

  package var string: String? { if case .text(let text) = self { text } else { nil } }
  package var double: Double? { if case .number(let number) = self { number } else { nil } }
  package var int: Int? { double.map { Int($0) } }
  package var bool: Bool? { if case .bool(let bool) = self { bool } else { nil } }
  package var array: [JSON] { if case .list(let list) = self { list } else { [] } }
  package var object: [String: JSON] { if case .fields(let fields) = self { fields } else { [:] } }
}
