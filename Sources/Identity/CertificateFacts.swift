public import MeshModel

/// What matters of a workload's certificate once its bytes are parsed.
public struct CertificateFacts: Hashable, Sendable {
  public var identity: SPIFFEID
  /// Hexadecimal, lower case, without leading zeros, as `openssl x509 -serial` has it but for case.
  public var serialNumber: String
  public var notBefore: WallTime
  public var notAfter: WallTime

  public init(
    identity: SPIFFEID, serialNumber: String, notBefore: WallTime, notAfter: WallTime
  ) {
    self.identity = identity
    self.serialNumber = serialNumber
    self.notBefore = notBefore
    self.notAfter = notAfter
  }

  /// Whether a peer with the right time would accept its dates; both ends count as valid.
  ///
  /// Source: RFC 5280, section 4.1.2.5.
  public func isValid(at now: WallTime) -> Bool {
    notBefore <= now && now <= notAfter
  }

  public func isExpired(at now: WallTime) -> Bool {
    notAfter < now
  }
}

extension WallTime {
  static func + (time: Self, duration: Duration) -> Self {
    Self(secondsSinceEpoch: time.secondsSinceEpoch + duration.secondsAsDouble)
  }

  /// The time from `earlier` to here, negative when `earlier` is in fact later.
  func since(_ earlier: Self) -> Duration {
    .seconds(secondsSinceEpoch - earlier.secondsSinceEpoch)
  }
}

extension Duration {
  var secondsAsDouble: Double {
    let (seconds, attoseconds) = components
    return Double(seconds) + Double(attoseconds) / 1e18
  }
}
