import Synchronization

/// Hands values from one task to another, one at a time: who gives waits until the one before is
/// taken, so nothing piles up between a fast side and a slow one.
///
/// One task gives, one takes; anybody may nudge. Both ends throw once the handoff has failed.
final class Handoff<Element: Sendable>: Sendable {
  private struct State {
    var waiting: Element?
    var isNudged = false
    /// How it ended: nil inside means well.
    var ending: Ending?
    /// Who sleeps, by end.
    var sleepers: [End: CheckedContinuation<Void, Never>] = [:]
  }

  private enum End {
    case giver, taker
  }

  private enum Ending {
    case well
    case failed(ControlError)
  }

  private let state = Mutex(State())

  /// Waits for the taker's side to have room, then leaves `element` there.
  func give(_ element: Element) async throws(ControlError) {
    while true {
      let isGiven = try state.withLock { state throws(ControlError) in
        switch state.ending {
        case .failed(let error): throw error
        case .well: throw .ended
        case nil: break
        }
        guard state.waiting == nil else { return false }
        state.waiting = element
        return true
      }
      if isGiven { break }
      await pause(.giver) { $0.waiting != nil && $0.ending == nil }
      if Task.isCancelled { throw .cancelled }
    }
    wake(.taker)
  }

  enum Taken {
    case element(Element)
    /// One or more nudges since the last was taken.
    case nudge
    case ended
  }

  /// The next value; nil when there is none to come.
  func next() async throws(ControlError) -> Element? {
    while true {
      switch try await take() {
      case .element(let element): return element
      case .nudge: continue
      case .ended: return nil
      }
    }
  }

  /// The next value, or word that there was a nudge.
  func take() async throws(ControlError) -> Taken {
    while true {
      let taken = try state.withLock { state throws(ControlError) -> Taken? in
        if state.isNudged {
          state.isNudged = false
          return .nudge
        }
        if let element = state.waiting {
          state.waiting = nil
          return .element(element)
        }
        switch state.ending {
        case .failed(let error): throw error
        case .well: return .ended
        case nil: return nil
        }
      }
      if let taken {
        wake(.giver)
        return taken
      }
      await pause(.taker) { $0.waiting == nil && !$0.isNudged && $0.ending == nil }
      if Task.isCancelled { throw .cancelled }
    }
  }

  /// Wakes the taker without a value; many nudges are as one.
  func nudge() {
    state.withLock { $0.isNudged = true }
    wake(.taker)
  }

  /// Ends it for both; what was given and not taken can still be taken.
  ///
  /// Only the first ending counts.
  func finish(_ error: ControlError? = nil) {
    let woken = state.withLock { state in
      if state.ending == nil { state.ending = error.map { .failed($0) } ?? .well }
      defer { state.sleepers = [:] }
      return state.sleepers.values
    }
    for sleeper in woken { sleeper.resume() }
  }

  /// Sleeps at `end` while `isNeeded` holds; a cancelled task does not sleep.
  private func pause(_ end: End, while isNeeded: @Sendable (State) -> Bool) async {
    await withTaskCancellationHandler {
      await withCheckedContinuation { continuation in
        let isWaiting = state.withLock { state in
          guard isNeeded(state), !Task.isCancelled else { return false }
          precondition(state.sleepers[end] == nil, "one task at each end of a handoff")
          state.sleepers[end] = continuation
          return true
        }
        if !isWaiting { continuation.resume() }
      }
    } onCancel: {
      wake(end)
    }
  }

  private func wake(_ end: End) {
    state.withLock { $0.sleepers.removeValue(forKey: end) }?.resume()
  }
}
