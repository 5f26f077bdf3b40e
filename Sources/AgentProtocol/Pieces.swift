public import MeshModel

/// Why a generation cannot be cut into frames, or pieces are none of one generation.
public enum PieceError: Error, Equatable {
  /// One workload, service or policy alone is more than a frame holds.
  case elementTooLarge(name: String, byteCount: Int)
  /// A piece of a generation came before the last piece of another.
  case interrupted(generation: UInt64, by: UInt64)
  case tooManyPieces(generation: UInt64)
}

extension PieceError: CustomStringConvertible {
  public var description: String {
    switch self {
    case .elementTooLarge(let name, let count):
      "\(name) alone takes \(count) bytes, at most \(Limit.pieceBytes) are carried"
    case .interrupted(let generation, let other):
      "a piece of generation \(other) came inside generation \(generation)"
    case .tooManyPieces(let generation):
      "generation \(generation) has more than \(Limit.piecesPerGeneration) pieces"
    }
  }
}

extension AgentMessage {
  /// The messages that carry a change: `modelPart` as often as needed, then one `model`.
  ///
  /// Each holds elements of at most `limit` bytes together.
  public static func pieces(
    of change: ModelChange, ofAtMost limit: Int = Limit.pieceBytes
  ) throws(PieceError) -> [AgentMessage] {
    var cutter = Cutter(change, limit: limit)
    for uid in change.removedWorkloads {
      try cutter.add(size { $0.text(uid) }, uid) { $0.removedWorkloads.append(uid) }
    }
    for key in change.removedServices {
      try cutter.add(size { key.write(to: &$0) }, "\(key)") { $0.removedServices.append(key) }
    }
    for key in change.removedPolicies {
      try cutter.add(size { key.write(to: &$0) }, "\(key)") { $0.removedPolicies.append(key) }
    }
    for service in change.services {
      let bytes = size { service.write(to: &$0) }
      try cutter.add(bytes, "service \(service.key)") { $0.services.append(service) }
    }
    for policy in change.policies {
      let bytes = size { policy.write(to: &$0) }
      try cutter.add(bytes, "policy \(policy.key)") { $0.policies.append(policy) }
    }
    for workload in change.workloads {
      let bytes = size { workload.write(to: &$0) }
      try cutter.add(bytes, "workload \(workload.uid)") { $0.workloads.append(workload) }
    }
    guard cutter.done.count < Limit.piecesPerGeneration else {
      throw .tooManyPieces(generation: change.generation)
    }
    return cutter.done.map(AgentMessage.modelPart) + [.model(cutter.current)]
  }

  private static func size(_ write: (inout Writer) -> Void) -> Int {
    var writer = Writer()
    write(&writer)
    return writer.bytes.count
  }
}

/// Fills one piece after the other.
private struct Cutter {
  let limit: Int
  private(set) var done: [ModelChange] = []
  private(set) var current: ModelChange
  private var byteCount = 0

  init(_ change: ModelChange, limit: Int) {
    self.limit = limit
    current = ModelChange(isFull: change.isFull, generation: change.generation)
  }

  mutating func add(
    _ bytes: Int, _ name: String, _ append: (inout ModelChange) -> Void
  ) throws(PieceError) {
    guard bytes <= Limit.pieceBytes else {
      throw .elementTooLarge(name: name, byteCount: bytes)
    }
    if byteCount + bytes > limit, byteCount > 0 {
      done.append(current)
      current = ModelChange(isFull: false, generation: current.generation)
      byteCount = 0
    }
    append(&current)
    byteCount += bytes
  }
}

/// Puts pieces together again; nothing comes out before the last one.
public struct ModelAssembly: Hashable, Sendable {
  private var begun: ModelChange?
  private var pieces = 0

  public init() {}

  /// Takes a piece that is not the last.
  public mutating func add(_ piece: ModelChange) throws(PieceError) {
    begun = try joined(with: piece)
    pieces += 1
    guard pieces < Limit.piecesPerGeneration else {
      throw .tooManyPieces(generation: piece.generation)
    }
  }

  /// The generation that ends with this piece.
  public mutating func finish(_ last: ModelChange) throws(PieceError) -> ModelChange {
    let whole = try joined(with: last)
    self = ModelAssembly()
    return whole
  }

  private mutating func joined(with piece: ModelChange) throws(PieceError) -> ModelChange {
    // Taken out, so that its lists grow in place.
    guard var whole = begun.take() else { return piece }
    guard whole.generation == piece.generation else {
      throw .interrupted(generation: whole.generation, by: piece.generation)
    }
    whole.workloads += piece.workloads
    whole.removedWorkloads += piece.removedWorkloads
    whole.services += piece.services
    whole.removedServices += piece.removedServices
    whole.policies += piece.policies
    whole.removedPolicies += piece.removedPolicies
    return whole
  }
}
