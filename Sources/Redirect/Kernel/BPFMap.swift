import CBPF
import Glibc
import Linux
import MeshModel

/// A map whose keys and values are the plain C structs of `redirect_abi.h`.
///
/// Safe because each call passes pointers to whole values of the sizes the map was made with, and only
/// for the duration of the call.
struct BPFMap<Key: BitwiseCopyable, Value: BitwiseCopyable>: ~Copyable {
  let name: String
  let descriptor: OwnedDescriptor

  init(_ name: String, _ descriptor: consuming OwnedDescriptor) {
    self.name = name
    self.descriptor = descriptor
  }

  func put(_ key: Key, _ value: Value) throws(RedirectError) {
    var key = key
    var value = value
    guard unsafe bpf_map_update_elem(descriptor.number, &key, &value, 0) == 0 else {
      throw failure("bpf_map_update_elem")
    }
  }

  /// False when the key is there already, or the map is full.
  func putNew(_ key: Key, _ value: Value) throws(RedirectError) -> Bool {
    var key = key
    var value = value
    let result = unsafe bpf_map_update_elem(
      descriptor.number, &key, &value, UInt64(BPF_NOEXIST))
    if result == 0 { return true }
    let error = failure("bpf_map_update_elem")
    if errno == EEXIST || errno == E2BIG { return false }
    throw error
  }

  /// Nil when the key is not there.
  func value(_ key: Key, else zero: Value) throws(RedirectError) -> Value? {
    var key = key
    var value = zero
    if unsafe bpf_map_lookup_elem(descriptor.number, &key, &value) == 0 { return value }
    let error = failure("bpf_map_lookup_elem")
    if errno == ENOENT { return nil }
    throw error
  }

  /// Nothing happens when the key is not there; of an empty slot a sockmap says EINVAL.
  func remove(_ key: Key) throws(RedirectError) {
    var key = key
    guard unsafe bpf_map_delete_elem(descriptor.number, &key) != 0 else { return }
    let error = failure("bpf_map_delete_elem")
    if errno == ENOENT || errno == EINVAL { return }
    throw error
  }

  /// The keys there are, up to `limit`.
  func keys(like zero: Key, limit: Int) throws(RedirectError) -> [Key] {
    var keys: [Key] = []
    var next = zero
    var result = unsafe bpf_map_get_next_key(descriptor.number, nil, &next)
    while result == 0 && keys.count < limit {
      keys.append(next)
      var before = next
      result = unsafe bpf_map_get_next_key(descriptor.number, &before, &next)
    }
    if result != 0 && errno != ENOENT { throw failure("bpf_map_get_next_key") }
    return keys
  }

  private func failure(_ call: String) -> RedirectError {
    .map(name: name, LinuxError(call: call, errno: errno))
  }
}

/// The sum over all processors of one slot of a per-CPU array.
func sumOverProcessors(
  _ map: CInt, slot: UInt32, processors: Int
) throws(RedirectError) -> UInt64 {
  var slot = slot
  var values = [UInt64](repeating: 0, count: processors)
  guard unsafe bpf_map_lookup_elem(map, &slot, &values) == 0 else {
    throw .map(name: "counters", LinuxError(call: "bpf_map_lookup_elem", errno: errno))
  }
  return values.reduce(0, &+)
}

extension redirect_address {
  /// IPv4 becomes v4-mapped IPv6, as in the kernel's half.
  init(_ address: IPAddress) {
    let bytes: [UInt8] =
      address.isIPv4
      ? [UInt8](repeating: 0, count: 10) + [0xff, 0xff] + address.bytes : address.bytes
    func word(_ index: Int) -> UInt32 {
      UInt32(
        bigEndian: bytes[index * 4..<index * 4 + 4].reduce(0) { $0 << 8 | UInt32($1) })
    }
    self.init(word: (word(0), word(1), word(2), word(3)))
  }

  var address: IPAddress {
    let words = [word.0, word.1, word.2, word.3].map(UInt32.init(bigEndian:))
    return .v6Normalised(
      high: UInt64(words[0]) << 32 | UInt64(words[1]),
      low: UInt64(words[2]) << 32 | UInt64(words[3]))
  }
}
