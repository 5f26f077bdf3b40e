/// DNS as the mesh answers it: names of services and pods, from the model.
///
/// In: the bytes of a query, the workload that asks, the model, a random number. Out: the bytes of an
/// answer, or the decision that the resolver the application addressed shall answer.
/// Never here: a socket, a clock, randomness.
///
///     Message/     reading queries, writing answers, recognising upstream answers (RFC 1035, 6891)
///     Names/       which names of the model an asked name may stand for
///     Resolution/  what the mesh has to say of a query
///
/// A message that is not a plain question goes to the application's own resolver as it is: what this
/// code does not understand it does not answer.
public enum DNS {
  /// The port of resolvers; what goes elsewhere is never captured.
  public static let port: UInt16 = 53
}
