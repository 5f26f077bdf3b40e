/// Which certificates a node needs and when to ask for the next one.
///
/// In: pods with their identities, certificates that arrived, refusals, the time, a random number.
/// Out: what to ask for and when to look again. Never here: keys, bytes of certificates, a clock.
public enum IdentityLimit {
  /// The first wait after a refusal or a silence; doubles with every further one.
  ///
  /// Source: ambient-protocol.md, 6.2.
  public static let firstRetry = Duration.milliseconds(500)
  public static let longestRetry = Duration.seconds(150)
  /// A retry is spread over 80 % to 120 % of its backoff.
  public static let retrySpread = 0.2
  /// A renewal is spread over 45 % to 55 % of the certificate's remaining life.
  public static let renewalSpread = 0.05
  /// No answer for this long counts as a refusal; the node agent answers sooner, whatever happens.
  public static let answer = Duration.seconds(45)
  /// How long a request waits for its turn before the node agent refuses it.
  public static let signingWait = Duration.seconds(30)
  /// Requests under way to an authority; Source: ambient-protocol.md, 6.2.
  public static let signingAtOnce = 8
  /// Requests that wait for their turn, one for each identity.
  public static let signingWaiting = 1_024
  /// The nearest two requests for one identity may come, whatever a certificate's lifetime.
  public static let nearestRenewal = Duration.seconds(1)
}
