import Linux
import Testing

@Suite struct `A buffer` {
  @Test func `hands out what was filled and not yet consumed`() {
    var buffer = Buffer(capacity: 4)
    var free = buffer.free
    free[0] = 7
    free[1] = 8
    buffer.filled(2)
    buffer.consume(1)
    #expect(buffer.readable.array == [8])
    #expect(buffer.freeCount == 2)
  }

  @Test func `starts from the front again when all is consumed`() {
    var buffer = Buffer(capacity: 4)
    buffer.append(contentsOf: [1, 2, 3])
    buffer.consume(3)
    #expect(buffer.isEmpty && buffer.freeCount == 4)
  }

  @Test func `moves what is readable to the front before it grows`() {
    var buffer = Buffer(capacity: 8)
    buffer.append(contentsOf: [1, 2, 3, 4, 5, 6, 7])
    buffer.consume(5)
    buffer.ensureFree(6)
    #expect(buffer.capacity == 8)
    #expect(buffer.readable.array == [6, 7])
  }

  @Test func `grows and keeps its bytes`() {
    var buffer = Buffer()
    for number in 0..<1_000 { buffer.append(UInt8(truncatingIfNeeded: number)) }
    #expect(buffer.readable.array == (0..<1_000).map { UInt8(truncatingIfNeeded: $0) })
  }

  @Test func `holds no memory before it is needed and after it is released`() {
    var buffer = Buffer()
    #expect(buffer.capacity == 0 && buffer.readable.isEmpty && buffer.freeCount == 0)
    buffer.append(1)
    buffer.release()
    #expect(buffer.count == 1)
    buffer.consume(1)
    buffer.release()
    #expect(buffer.capacity == 0)
  }

  @Test func `shows zeros in fresh room, never another owner's bytes`() {
    do {
      var secret = Buffer(capacity: 100)
      secret.append(contentsOf: [UInt8](repeating: 0x55, count: 100))
    }
    var buffer = Buffer(capacity: 100)
    let free = buffer.free
    #expect(free.span.array == [UInt8](repeating: 0, count: 100))
  }

  @Test func `lets a header be written before bytes that are already there`() {
    var buffer = Buffer(capacity: 16)
    buffer.append(contentsOf: [0, 0, 9])
    var bytes = buffer.mutableReadable
    bytes[0] = 1
    bytes[1] = 2
    #expect(buffer.readable.array == [1, 2, 9])
  }

  @Test func `behaves like a queue of bytes under any order of steps`() {
    var random = SystemRandomNumberGenerator()
    var buffer = Buffer()
    var model: [UInt8] = []
    for _ in 0..<20_000 {
      switch Int.random(in: 0..<4, using: &random) {
      case 0:
        let bytes = (0..<Int.random(in: 0..<50)).map { _ in UInt8.random(in: 0...255) }
        buffer.append(contentsOf: bytes)
        model += bytes
      case 1:
        let count = Int.random(in: 0...model.count)
        buffer.consume(count)
        model.removeFirst(count)
      case 2: buffer.ensureFree(Int.random(in: 0..<100))
      default: buffer.release()
      }
      #expect(buffer.count == model.count)
    }
    #expect(buffer.readable.array == model)
  }

  @Test func `traps when more is consumed than is there`() async {
    await #expect(processExitsWith: .failure) {
      var buffer = Buffer(capacity: 4)
      buffer.consume(1)
    }
  }

  @Test func `traps when more is filled than is free`() async {
    await #expect(processExitsWith: .failure) {
      var buffer = Buffer(capacity: 4)
      buffer.filled(5)
    }
  }
}
