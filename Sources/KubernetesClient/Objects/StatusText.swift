import MeshCompiler

extension APIStatus {
  static let selection = FieldSelection.fields([
    "code": .all, "reason": .all, "message": .all, "details": .words("retryAfterSeconds"),
  ])

  /// A `Status` object, as far as it is one.
  init(_ value: ManifestValue, code: Int? = nil) {
    let seconds = value["details"]?["retryAfterSeconds"]?.whole ?? 0
    self.init(
      code: code ?? Int(clamping: value["code"]?.whole ?? 0),
      reason: Self.shown(value["reason"]?.text), message: Self.shown(value["message"]?.text),
      retryAfter: seconds > 0 ? .seconds(min(seconds, 3_600)) : nil)
  }

  /// The answer to a request that was refused; its body may be anything.
  init(code: Int, body: [UInt8], retryAfter header: String?) {
    do throws(JSONProblem) {
      self.init(try JSONReader.value(body, Self.selection), code: code)
    } catch {
      self.init(code: code, message: Self.shown(String(decoding: body, as: UTF8.self)))
    }
    // A date is allowed too, and nobody sends one.
    if let header, let seconds = UInt16(header) { retryAfter = .seconds(min(Int(seconds), 3_600)) }
  }

  /// Short enough for a log line, and on one line.
  private static func shown(_ text: String?) -> String {
    let text = text ?? ""
    let scalars = text.unicodeScalars.prefix(Limit.messageBytes).map {
      $0.value < 0x20 || $0.value == 0x7f ? " " : Character($0)
    }
    return String(scalars)
  }
}
