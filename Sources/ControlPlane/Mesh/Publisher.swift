import ControlAPI
import MeshModel
import Synchronization
import XDS

/// One generation as everybody is served it.
struct Publication: Sendable {
  var resources: ResourceSet
  var placements: Placements
  /// When its manifests were found settled on disk.
  var readAt: Instant
}

/// Holds the generation in force and wakes the streams when there is another.
final class Publisher: Sendable {
  private struct State {
    var current: Publication?
    var isShutDown = false
    var streams: [UInt64: DiscoveryExchange] = [:]
    var nextStream: UInt64 = 1
    var newStreams = Allowance(Limit.newStreams)
  }

  /// Why a stream is not let in.
  enum Refusal: Error {
    case notReady, shuttingDown, tooMany, tooFast
  }

  private let state = Mutex(State())

  var current: Publication? { state.withLock(\.current) }
  var isShutDown: Bool { state.withLock(\.isShutDown) }
  var streams: Int { state.withLock(\.streams.count) }

  func publish(_ publication: Publication) {
    let streams = state.withLock { state in
      state.current = publication
      return state.streams.values
    }
    for stream in streams { stream.nudge() }
  }

  /// Asks every stream to end, and lets none in from now on.
  func shutDown() {
    let streams = state.withLock { state in
      state.isShutDown = true
      return state.streams.values
    }
    for stream in streams { stream.nudge() }
  }

  /// Whether another stream of a known node may begin now.
  func admit(at now: Instant) throws(Refusal) {
    try state.withLock { state throws(Refusal) in
      if state.isShutDown { throw .shuttingDown }
      if state.current == nil { throw .notReady }
      if state.streams.count >= Limit.streams { throw .tooMany }
      if !state.newStreams.take(at: now) { throw .tooFast }
    }
  }

  /// Wakes `stream` from now on; what comes back takes it off.
  func add(_ stream: DiscoveryExchange) -> UInt64 {
    state.withLock { state in
      let number = state.nextStream
      state.nextStream += 1
      state.streams[number] = stream
      return number
    }
  }

  func remove(_ number: UInt64) {
    state.withLock { _ = $0.streams.removeValue(forKey: number) }
  }
}
