import COpenSSL
import Glibc
import Synchronization

/// Counts what OpenSSL holds, in a process of its own, from before its first allocation.
enum CountingHeap {
  /// Each block is preceded by its size.
  fileprivate static let headBytes = 16
  fileprivate static let live = Atomic<Int>(0)

  static var bytesInUse: Int { live.load(ordering: .relaxed) }

  static func install() {
    let isInstalled = unsafe CRYPTO_set_mem_functions(
      { count, _, _ in unsafe allocate(count) },
      { block, count, _, _ in unsafe resize(block, count) },
      { block, _, _ in unsafe release(block) })
    precondition(isInstalled == 1, "OpenSSL has allocated already")
  }
}

private func allocate(_ count: Int) -> UnsafeMutableRawPointer? {
  guard count > 0, let block = unsafe malloc(count + CountingHeap.headBytes) else { return nil }
  unsafe block.storeBytes(of: count, as: Int.self)
  CountingHeap.live.add(count, ordering: .relaxed)
  return unsafe block + CountingHeap.headBytes
}

private func resize(
  _ old: UnsafeMutableRawPointer?, _ count: Int
) -> UnsafeMutableRawPointer? {
  guard let old = unsafe old else { return unsafe allocate(count) }
  guard count > 0 else {
    unsafe release(old)
    return nil
  }
  let kept = unsafe min((old - CountingHeap.headBytes).load(as: Int.self), count)
  guard let block = unsafe allocate(count) else { return nil }
  unsafe block.copyMemory(from: old, byteCount: kept)
  unsafe release(old)
  return unsafe block
}

private func release(_ block: UnsafeMutableRawPointer?) {
  guard let block = unsafe block else { return }
  let start = unsafe block - CountingHeap.headBytes
  CountingHeap.live.subtract(unsafe start.load(as: Int.self), ordering: .relaxed)
  unsafe free(start)
}

/// The process's resident memory, from /proc/self/statm.
func residentBytes() -> Int {
  guard let file = unsafe fopen("/proc/self/statm", "r") else { return 0 }
  defer { unsafe fclose(file) }
  var line = [CChar](repeating: 0, count: 128)
  guard unsafe fgets(&line, CInt(line.count), file) != nil else { return 0 }
  let text = String(decoding: line.map(UInt8.init(bitPattern:)), as: UTF8.self)
  let pages = text.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0
  return pages * Int(sysconf(CInt(_SC_PAGESIZE)))
}
