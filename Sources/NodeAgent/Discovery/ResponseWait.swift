import MeshModel

/// How long the next response of a stream to the control plane is waited for.
enum ResponseWait: Hashable, Sendable {
  /// Then something has to be done, though nothing came; at once when it is zero.
  case atMost(Duration)
  /// Pings of the connection notice a control plane that is gone.
  case forever

  /// - inStepSince: when everything asked for had been answered; nil before.
  /// - firstAnswersBy: when a stream on which that has not happened is given up.
  /// - hasUnconfirmed: something is held that the stream was not told of, and has not told. That
  ///   waits for a length of time, not for silence: a busy mesh is never silent.
  init(at now: Instant, inStepSince: Instant?, firstAnswersBy: Instant, hasUnconfirmed: Bool) {
    guard let inStepSince else {
      self = .atMost(max(firstAnswersBy.since(now), .zero))
      return
    }
    guard hasUnconfirmed else {
      self = .forever
      return
    }
    self = .atMost(max((inStepSince + Limit.discoveryConfirmation).since(now), .zero))
  }
}
