/// What holds for every peer beside the roots that come with a certificate; always whole.
public struct TrustUpdate: Hashable, Sendable {
  /// Comes back in the answer.
  public var number: UInt64
  public var revocations: Revocations
  /// Roots of other trust domains.
  public var bundles: [Bundle]

  public enum Revocations: Hashable, Sendable {
    /// Nobody asked for any.
    case off
    /// Asked for, and none could be read yet: nobody is let in.
    case unknown(reason: String)
    /// X.509 CRLs, DER each; none of them takes nothing back.
    case lists([[UInt8]])
  }

  public struct Bundle: Hashable, Sendable {
    public var trustDomain: String
    /// DER each.
    public var roots: [[UInt8]]

    public init(trustDomain: String, roots: [[UInt8]]) {
      self.trustDomain = trustDomain
      self.roots = roots
    }
  }

  public init(number: UInt64 = 0, revocations: Revocations = .off, bundles: [Bundle] = []) {
    self.number = number
    self.revocations = revocations
    self.bundles = bundles
  }
}
