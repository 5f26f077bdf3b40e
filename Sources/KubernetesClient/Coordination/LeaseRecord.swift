import MeshCompiler
public import MeshModel

/// Who holds a Lease, as its object says.
public struct LeaseRecord: Hashable, Sendable {
  /// Empty when it was given up.
  public var holder: String
  public var duration: Duration
  public var acquired: WallTime
  public var renewed: WallTime
  /// How often it went from one holder to another.
  public var transitions: Int64

  public init(
    holder: String, duration: Duration, acquired: WallTime, renewed: WallTime, transitions: Int64
  ) {
    self.holder = holder
    self.duration = duration
    self.acquired = acquired
    self.renewed = renewed
    self.transitions = transitions
  }
}

/// A Lease as it was read: the record as far as it can be read, and the whole object, to write back.
public struct ReadLease: Hashable, Sendable {
  /// Changes with every write, by whomever.
  public var resourceVersion: String
  public var holder: String
  public var duration: Duration
  public var transitions: Int64
  var object: ManifestValue

  init(_ object: ManifestValue) {
    self.object = object
    let spec = object["spec"]
    resourceVersion = object["metadata"]?["resourceVersion"]?.text ?? ""
    holder = spec?["holderIdentity"]?.text ?? ""
    duration = .seconds(min(max(spec?["leaseDurationSeconds"]?.whole ?? 0, 0), 3_600))
    transitions = spec?["leaseTransitions"]?.whole ?? 0
  }

  public init(
    resourceVersion: String, holder: String, duration: Duration, transitions: Int64
  ) {
    self.init([
      "metadata": ["resourceVersion": .text(resourceVersion)],
      "spec": [
        "holderIdentity": .text(holder),
        "leaseDurationSeconds": .whole(duration.components.seconds),
        "leaseTransitions": .whole(transitions),
      ],
    ])
  }
}

extension LeaseRecord {
  var spec: ManifestValue {
    [
      "holderIdentity": .text(holder), "leaseDurationSeconds": .whole(duration.components.seconds),
      "acquireTime": .text(microTime(acquired)), "renewTime": .text(microTime(renewed)),
      "leaseTransitions": .whole(transitions),
    ]
  }
}

/// A moment as the API's MicroTime: `2026-01-31T12:00:00.000000Z`.
func microTime(_ time: WallTime) -> String {
  let microseconds = Int64((time.secondsSinceEpoch * 1_000_000).rounded(.down))
  let (seconds, fraction) = (microseconds / 1_000_000, microseconds % 1_000_000)
  let (days, rest) = (seconds / 86_400, seconds % 86_400)
  let date = civilDate(daysSinceEpoch: days)
  return "\(padded(date.year, 4))-\(padded(date.month, 2))-\(padded(date.day, 2))T"
    + "\(padded(rest / 3_600, 2)):\(padded(rest / 60 % 60, 2)):\(padded(rest % 60, 2))"
    + ".\(padded(fraction, 6))Z"
}

/// Source: Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", civil_from_days.
private func civilDate(daysSinceEpoch: Int64) -> (year: Int64, month: Int64, day: Int64) {
  let shifted = daysSinceEpoch + 719_468
  let (era, dayOfEra) = (shifted / 146_097, shifted % 146_097)
  let yearOfEra =
    (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
  let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
  let shiftedMonth = (5 * dayOfYear + 2) / 153
  let month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
  return (
    yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month,
    dayOfYear - (153 * shiftedMonth + 2) / 5 + 1
  )
}

private func padded(_ number: Int64, _ width: Int) -> String {
  let digits = String(number)
  return String(repeating: "0", count: max(0, width - digits.utf8.count)) + digits
}
