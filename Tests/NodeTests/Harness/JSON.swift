import Foundation
import Testing

/// A JSON value that is asked by path and answers with nothing where there is nothing.
enum JSON: Decodable, Sendable {
  case null
  case bool(Bool)
  case number(Double)
  case text(String)
  case list([JSON])
  case fields([String: JSON])

  init(from decoder: any Decoder) throws {
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
  init(
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

  subscript(_ key: String) -> JSON {
    if case .fields(let fields) = self { return fields[key] ?? .null }
    return .null
  }

  subscript(_ index: Int) -> JSON { array.indices.contains(index) ? array[index] : .null }

  var string: String? { if case .text(let text) = self { text } else { nil } }
  var double: Double? { if case .number(let number) = self { number } else { nil } }
  var int: Int? { double.map { Int($0) } }
  var bool: Bool? { if case .bool(let bool) = self { bool } else { nil } }
  var array: [JSON] { if case .list(let list) = self { list } else { [] } }
  var object: [String: JSON] { if case .fields(let fields) = self { fields } else { [:] } }
}
