import CBPF
import Glibc
import Linux

/// Calls of bpf(2) by way of libbpf, as throwing functions over descriptors.
enum BPFSystem {
  /// The kernel's BPF_TCX_EGRESS; libbpf 1.1 was published before it had the name.
  static let tcxEgress = bpf_attach_type(rawValue: 47)

  struct LinkFacts {
    var id: UInt32
    var programID: UInt32
    /// An interface's index for tcx, a namespace's inode for sk_lookup; 0 when it is gone.
    var target: UInt32
  }

  static func pin(_ number: CInt, at path: String) throws(RedirectError) {
    guard unsafe bpf_obj_pin(number, path) == 0 else {
      throw .pin(path: path, LinuxError(call: "bpf_obj_pin", errno: errno))
    }
  }

  static func open(_ path: String) throws(RedirectError) -> OwnedDescriptor {
    let number = unsafe bpf_obj_get(path)
    guard number >= 0 else {
      throw .pin(path: path, LinuxError(call: "bpf_obj_get", errno: errno))
    }
    return OwnedDescriptor(adopting: number)
  }

  /// Nil when there is no such pin.
  static func openIfThere(_ path: String) throws(RedirectError) -> OwnedDescriptor? {
    let number = unsafe bpf_obj_get(path)
    if number >= 0 { return OwnedDescriptor(adopting: number) }
    let error = LinuxError(call: "bpf_obj_get", errno: errno)
    if error.isNotFound { return nil }
    throw .pin(path: path, error)
  }

  static func link(
    program: CInt, to target: CInt, _ kind: bpf_attach_type, hook: String
  ) throws(RedirectError) -> OwnedDescriptor {
    let number = bpf_link_create(program, target, kind, nil)
    guard number >= 0 else {
      throw .attach(hook: hook, LinuxError(call: "bpf_link_create", errno: errno))
    }
    return OwnedDescriptor(adopting: number)
  }

  /// Replaces the program of a link; no packet sees neither.
  static func update(link: CInt, to program: CInt, hook: String) throws(RedirectError) {
    guard bpf_link_update(link, program, nil) == 0 else {
      throw .attach(hook: hook, LinuxError(call: "bpf_link_update", errno: errno))
    }
  }

  /// Detaches at once, where closing the last descriptor would do it some time later.
  static func detach(link: CInt, hook: String) throws(RedirectError) {
    guard bpf_link_detach(link) == 0 else {
      let error = LinuxError(call: "bpf_link_detach", errno: errno)
      // ENOLINK: what it hung on is gone.
      if error.errno == ENOLINK { return }
      throw .attach(hook: hook, error)
    }
  }

  static func facts(ofLink link: CInt) throws(RedirectError) -> LinkFacts {
    var facts = bpf_link_info()
    var size = UInt32(MemoryLayout<bpf_link_info>.size)
    guard unsafe bpf_obj_get_info_by_fd(link, &facts, &size) == 0 else {
      throw .map(name: "link", LinuxError(call: "bpf_obj_get_info_by_fd", errno: errno))
    }
    // tcx and netns links report their target in the same first word.
    return LinkFacts(
      id: facts.id, programID: facts.prog_id, target: facts.netns.netns_ino)
  }

  static func id(ofProgram program: CInt) throws(RedirectError) -> UInt32 {
    var facts = bpf_prog_info()
    var size = UInt32(MemoryLayout<bpf_prog_info>.size)
    guard unsafe bpf_obj_get_info_by_fd(program, &facts, &size) == 0 else {
      throw .map(name: "program", LinuxError(call: "bpf_obj_get_info_by_fd", errno: errno))
    }
    return facts.id
  }

  /// How many entries a map takes.
  static func room(ofMap map: CInt) throws(RedirectError) -> Int {
    var facts = bpf_map_info()
    var size = UInt32(MemoryLayout<bpf_map_info>.size)
    guard unsafe bpf_obj_get_info_by_fd(map, &facts, &size) == 0 else {
      throw .map(name: "map", LinuxError(call: "bpf_obj_get_info_by_fd", errno: errno))
    }
    return Int(facts.max_entries)
  }

  /// The program's C name, at most 15 bytes.
  static func name(ofProgram id: UInt32) throws(RedirectError) -> String {
    let number = bpf_prog_get_fd_by_id(id)
    guard number >= 0 else {
      throw .map(name: "program", LinuxError(call: "bpf_prog_get_fd_by_id", errno: errno))
    }
    let program = OwnedDescriptor(adopting: number)
    var facts = bpf_prog_info()
    var size = UInt32(MemoryLayout<bpf_prog_info>.size)
    guard unsafe bpf_obj_get_info_by_fd(program.number, &facts, &size) == 0 else {
      throw .map(name: "program", LinuxError(call: "bpf_obj_get_info_by_fd", errno: errno))
    }
    return unsafe withUnsafeBytes(of: facts.name) { bytes in
      unsafe String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
    }
  }

  /// Programs on an interface's tcx egress, in the calling thread's namespace; at most 64.
  static func tcxPrograms(on interface: UInt32) -> [UInt32] {
    var ids = [UInt32](repeating: 0, count: 64)
    var count = UInt32(ids.count)
    let result = unsafe bpf_prog_query(CInt(interface), tcxEgress, 0, nil, &ids, &count)
    return result == 0 ? Array(ids.prefix(Int(count))) : []
  }
}
