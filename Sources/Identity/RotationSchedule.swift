public import MeshModel

/// When to ask for the next certificate, and how long to wait after a refusal.
public enum RotationSchedule {
  /// Half of the life that was left when the certificate arrived, spread by `jitter`.
  ///
  /// The life left, not the span of its dates: a leaf is backdated by up to two minutes, and the
  /// middle of a ten-second leaf's dates may lie in the past.
  /// The jitter is 0 to 1, drawn anew for each certificate.
  public static func renewal(
    of certificate: CertificateFacts, received now: WallTime, jitter: Double
  ) -> WallTime {
    let left = max(certificate.notAfter.since(now), .zero)
    let share = 0.5 + spread(jitter) * IdentityLimit.renewalSpread
    return now + max(left * share, IdentityLimit.nearestRenewal)
  }

  /// When to try again after the `failures`-th failure in a row.
  ///
  /// While a certificate is still valid the wait ends before it expires, but never comes sooner
  /// than the first wait.
  /// The jitter is 0 to 1, drawn anew for each failure.
  public static func retry(
    afterFailure failures: Int, at now: WallTime, expiry: WallTime?, jitter: Double
  ) -> WallTime {
    precondition(failures > 0, "a retry follows a failure, not \(failures)")
    let doublings = min(failures - 1, 20)
    let backoff = min(IdentityLimit.firstRetry * (1 << doublings), IdentityLimit.longestRetry)
    var wait = backoff * (1 + spread(jitter) * IdentityLimit.retrySpread)
    if let expiry, now < expiry {
      wait = min(wait, max(expiry.since(now), IdentityLimit.firstRetry))
    }
    return now + wait
  }

  /// 0 to 1 becomes -1 to 1; a number outside is pulled to the nearest end.
  private static func spread(_ jitter: Double) -> Double {
    min(max(jitter, 0), 1) * 2 - 1
  }
}
