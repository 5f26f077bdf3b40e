import CBPF
import Glibc
import Linux

/// The BPF objects this build brings along.
enum EmbeddedObject: CaseIterable {
  case egress, lookup, probes, packetGuard

  var name: String {
    switch self {
    case .egress: "egress"
    case .lookup: "lookup"
    case .probes: "probes"
    case .packetGuard: "guard"
    }
  }

  /// The ELF file's bytes; they live as long as the process.
  fileprivate var bytes: UnsafeBufferPointer<UInt8> {
    var count = 0
    let start =
      switch self {
      case .egress: unsafe cbpf_embedded_bytes(CBPF_EGRESS, &count)
      case .lookup: unsafe cbpf_embedded_bytes(CBPF_LOOKUP, &count)
      case .probes: unsafe cbpf_embedded_bytes(CBPF_PROBES, &count)
      case .packetGuard: unsafe cbpf_embedded_bytes(CBPF_GUARD, &count)
      }
    return unsafe UnsafeBufferPointer(start: start, count: count)
  }

  /// Tells builds apart: FNV-1a over the objects that pods carry.
  static let fingerprint: UInt64 = {
    [EmbeddedObject.egress, .lookup].reduce(0xcbf2_9ce4_8422_2325) { hash, object in
      unsafe object.bytes.reduce(hash) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }
    }
  }()
}

/// An embedded object, verified by the kernel; its programs and maps go with the value unless taken.
///
/// Safe because the pointer is libbpf's, set once, and closed only here.
@safe struct LoadedObject: ~Copyable {
  private let object: OpaquePointer
  private let kind: EmbeddedObject

  private init(opening kind: EmbeddedObject) throws(RedirectError) {
    let bytes = unsafe kind.bytes
    guard let object = unsafe cbpf_open(bytes.baseAddress, bytes.count, kind.name) else {
      throw LoadedObject.failure(kind, call: "bpf_object__open")
    }
    unsafe self.object = object
    self.kind = kind
  }

  /// Loads only the named programs; a map named in `reusing` is used instead of a new one.
  ///
  /// - constant: the value of the object's only constant, for those that have one.
  static func load(
    _ kind: EmbeddedObject, programs: Set<String>, reusing maps: [(name: String, number: CInt)],
    constant: UInt64? = nil
  ) throws(RedirectError) -> LoadedObject {
    let loaded = try LoadedObject(opening: kind)
    try loaded.reuse(maps)
    if let constant { try loaded.set(constant) }
    try loaded.choose(programs)
    guard unsafe bpf_object__load(loaded.object) == 0 else {
      throw LoadedObject.failure(kind, call: "bpf_object__load")
    }
    return loaded
  }

  private func reuse(_ maps: [(name: String, number: CInt)]) throws(RedirectError) {
    for (name, number) in maps {
      guard let map = unsafe bpf_object__find_map_by_name(object, name) else {
        throw .missing(what: "map \(name)", object: kind.name)
      }
      guard unsafe bpf_map__reuse_fd(map, number) == 0 else {
        throw LoadedObject.failure(kind, call: "bpf_map__reuse_fd \(name)")
      }
    }
  }

  private func set(_ constant: UInt64) throws(RedirectError) {
    guard let map = unsafe bpf_object__find_map_by_name(object, ".rodata") else {
      throw .missing(what: "a constant", object: kind.name)
    }
    var value = constant
    let size = MemoryLayout<UInt64>.size
    guard unsafe bpf_map__set_initial_value(map, &value, size) == 0 else {
      throw LoadedObject.failure(kind, call: "bpf_map__set_initial_value")
    }
  }

  private func choose(_ programs: Set<String>) throws(RedirectError) {
    var program = unsafe bpf_object__next_program(object, nil)
    while let next = unsafe program {
      let name = unsafe String(cString: bpf_program__name(next))
      guard unsafe bpf_program__set_autoload(next, programs.contains(name)) == 0 else {
        throw LoadedObject.failure(kind, call: "bpf_program__set_autoload")
      }
      unsafe program = bpf_object__next_program(object, next)
    }
  }

  deinit { unsafe bpf_object__close(object) }

  func program(_ name: String) throws(RedirectError) -> OwnedDescriptor {
    guard let program = unsafe bpf_object__find_program_by_name(object, name) else {
      throw .missing(what: "program \(name)", object: kind.name)
    }
    return try LoadedObject.copy(unsafe bpf_program__fd(program), of: name, in: kind)
  }

  func map(_ name: String) throws(RedirectError) -> OwnedDescriptor {
    guard let map = unsafe bpf_object__find_map_by_name(object, name) else {
      throw .missing(what: "map \(name)", object: kind.name)
    }
    return try LoadedObject.copy(unsafe bpf_map__fd(map), of: name, in: kind)
  }

  /// libbpf keeps its own number, so that both sides close what is theirs.
  private static func copy(
    _ number: CInt, of name: String, in kind: EmbeddedObject
  ) throws(RedirectError) -> OwnedDescriptor {
    let copy = number < 0 ? -1 : cbpf_duplicate(number)
    guard copy >= 0 else {
      throw .missing(what: "loaded \(name)", object: kind.name)
    }
    return OwnedDescriptor(adopting: copy)
  }

  private static func failure(_ kind: EmbeddedObject, call: String) -> RedirectError {
    let error = LinuxError(call: call, errno: errno, subject: kind.name)
    return .load(object: kind.name, error, log: unsafe String(cString: cbpf_take_log()))
  }
}
