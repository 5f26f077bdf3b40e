import Linux
import MeshModel

/// A piece of memory for bytes that wait for a socket.
final class Chunk {
  var bytes = Buffer(capacity: ZTunnelLimit.chunkBytes)
}

/// The chunks a worker has at hand: under load the same few serve again and again, instead of
/// memory that the kernel must map, clear and take back each time.
struct ChunkStock {
  private var chunks: [Chunk] = []
  private var lastUse = Instant(nanoseconds: 0)

  /// When `release` has something to do.
  var due: Instant? { chunks.isEmpty ? nil : lastUse + ZTunnelLimit.chunkRest }

  mutating func take(at now: Instant) -> Chunk {
    lastUse = now
    return chunks.popLast() ?? Chunk()
  }

  mutating func give(_ chunk: Chunk, at now: Instant) {
    guard chunks.count < ZTunnelLimit.spareChunks else { return }
    lastUse = now
    chunk.bytes.removeAll()
    chunks.append(chunk)
  }

  /// Gives everything back to the kernel when nothing was used for a while.
  mutating func release(at now: Instant) {
    if let due, due <= now { chunks = [] }
  }
}

/// Bytes for a socket that the kernel has not taken; they grow without being moved.
struct WaitingBytes {
  /// The oldest first; none is empty.
  private var chunks: [Chunk] = []
  private(set) var count = 0

  var isEmpty: Bool { count == 0 }

  mutating func append(_ bytes: Span<UInt8>, from stock: inout ChunkStock, at now: Instant) {
    var offset = 0
    while offset < bytes.count {
      if chunks.last.map({ $0.bytes.freeCount == 0 }) ?? true { chunks.append(stock.take(at: now)) }
      guard let chunk = chunks.last else { return }
      let size = min(chunk.bytes.freeCount, bytes.count - offset)
      chunk.bytes.append(bytes.extracting(offset..<(offset + size)))
      offset += size
    }
    count += bytes.count
  }

  /// Hands the oldest chunk to `body`, which sends of it what the kernel takes.
  fileprivate mutating func sendFirst(
    _ stock: inout ChunkStock, at now: Instant, _ body: (inout Buffer) -> SendOutcome
  ) -> SendOutcome {
    guard let chunk = chunks.first else { return .sent(0) }
    let outcome = body(&chunk.bytes)
    if case .sent(let sent) = outcome {
      count -= sent
      if chunk.bytes.isEmpty { stock.give(chunks.removeFirst(), at: now) }
    }
    return outcome
  }
}

extension Socket {
  /// Sends the oldest chunk, or as much of it as the kernel takes.
  borrowing func send(
    from waiting: inout WaitingBytes, _ stock: inout ChunkStock, at now: Instant
  ) -> SendOutcome {
    waiting.sendFirst(&stock, at: now) { send(from: &$0) }
  }
}
