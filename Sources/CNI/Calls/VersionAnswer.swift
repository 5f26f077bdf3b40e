/// What VERSION answers, in the version it was asked in.
public struct VersionAnswer: Hashable, Sendable {
  public var asked: String

  public init(reading input: [UInt8]) throws(Failure) {
    do throws(JSONProblem) {
      asked = try JSONValue(reading: input)["cniVersion"]?.text ?? "1.0.0"
    } catch {
      throw .input(error.description)
    }
  }

  public var json: JSONValue {
    .object([
      .init("cniVersion", .string(asked)),
      .init("supportedVersions", .array(Call.versions.map(JSONValue.string))),
    ])
  }
}
