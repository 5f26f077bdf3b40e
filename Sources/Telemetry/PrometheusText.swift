/// Metrics as Prometheus reads them: text exposition format 0.0.4.
///
///     # HELP name what it is
///     # TYPE name counter
///     name{label="value"} 12
///
/// Source: Prometheus, "Exposition formats", text-based format.
public struct PrometheusText: Sendable {
  public enum Kind: String, Sendable {
    case counter, gauge, histogram
  }

  public struct Label: Hashable, Sendable {
    public var name: String
    public var value: String

    public init(_ name: String, _ value: String) {
      self.name = name
      self.value = value
    }
  }

  public private(set) var text = ""

  public init() {}

  public static let contentType = "text/plain; version=0.0.4; charset=utf-8"

  /// Starts a family; its samples follow, before the next family starts.
  public mutating func family(_ name: String, _ kind: Kind, _ help: String) {
    text += "# HELP \(name) \(PrometheusText.escaped(help, quotes: false))\n"
    text += "# TYPE \(name) \(kind.rawValue)\n"
  }

  public mutating func sample(_ name: String, _ labels: [Label] = [], _ value: UInt64) {
    sample(name, labels, text: String(value))
  }

  public mutating func sample(_ name: String, _ labels: [Label] = [], _ value: Double) {
    sample(name, labels, text: PrometheusText.number(value))
  }

  /// A family of one sample without labels, whose name and meaning may still change.
  public mutating func gauge(_ name: String, _ help: String, _ value: UInt64) {
    single(name, .gauge, help, value)
  }

  /// The same of a number that only grows.
  public mutating func counter(_ name: String, _ help: String, _ value: UInt64) {
    single(name, .counter, help, value)
  }

  private mutating func single(_ name: String, _ kind: Kind, _ help: String, _ value: UInt64) {
    family(name, kind, help + " (unstable).")
    sample(name, [], value)
  }

  public mutating func histogram(_ name: String, _ histogram: Histogram) {
    var total: UInt64 = 0
    for (bound, count) in zip(histogram.bounds, histogram.counts) {
      total += count
      sample("\(name)_bucket", [Label("le", PrometheusText.number(bound))], total)
    }
    sample("\(name)_bucket", [Label("le", "+Inf")], histogram.count)
    sample("\(name)_sum", [], histogram.sum)
    sample("\(name)_count", [], histogram.count)
  }

  private mutating func sample(_ name: String, _ labels: [Label], text value: String) {
    text += name
    if !labels.isEmpty {
      let pairs = labels.map { "\($0.name)=\"\(PrometheusText.escaped($0.value, quotes: true))\"" }
      text += "{" + pairs.joined(separator: ",") + "}"
    }
    text += " \(value)\n"
  }

  private static func number(_ value: Double) -> String {
    if value.isNaN { return "NaN" }
    if value.isInfinite { return value < 0 ? "-Inf" : "+Inf" }
    return value == value.rounded() && abs(value) < 1e15 ? String(Int64(value)) : "\(value)"
  }

  /// Backslash and line feed always, quotes in label values.
  private static func escaped(_ value: String, quotes: Bool) -> String {
    var escaped = ""
    for scalar in value.unicodeScalars {
      switch scalar {
      case "\\": escaped += "\\\\"
      case "\n": escaped += "\\n"
      case "\"" where quotes: escaped += "\\\""
      default: escaped.unicodeScalars.append(scalar)
      }
    }
    return escaped
  }
}

/// Counts of values by size; the bounds ascend.
public struct Histogram: Equatable, Sendable {
  public let bounds: [Double]
  public private(set) var counts: [UInt64]
  public private(set) var count: UInt64 = 0
  public private(set) var sum: Double = 0

  public init(bounds: [Double]) {
    self.bounds = bounds
    counts = [UInt64](repeating: 0, count: bounds.count)
  }

  public mutating func observe(_ value: Double) {
    count += 1
    sum += value
    if let index = bounds.firstIndex(where: { value <= $0 }) { counts[index] += 1 }
  }
}
