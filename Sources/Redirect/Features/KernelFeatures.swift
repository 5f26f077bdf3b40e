/// One thing the redirection wants of the kernel, tried for real.
public struct KernelFeature: Hashable, Sendable {
  public enum Importance: String, Hashable, Sendable {
    /// Enrolment does not work without it.
    case required
    /// There is another way, or less is promised.
    case optional
  }

  public enum Outcome: Hashable, Sendable {
    case works
    /// The reason, for example `bpf_link_create: Invalid argument`.
    case fails(String)
  }

  public var name: String
  public var importance: Importance
  /// What it is for.
  public var purpose: String
  /// What happens without it.
  public var otherwise: String
  public var outcome: Outcome

  public var isWorking: Bool { outcome == .works }
}

/// What this machine's kernel lets us do, each by doing it on things of our own.
public struct KernelFeatures: Hashable, Sendable {
  public var features: [KernelFeature]

  /// Whether pods can be enrolled at all.
  public var isSufficient: Bool {
    features.allSatisfy { $0.isWorking || $0.importance == .optional }
  }

  /// Tries everything; takes some 20 ms and leaves nothing behind.
  public static func probe() -> KernelFeatures {
    preconditionFailure("being written")
  }
}
