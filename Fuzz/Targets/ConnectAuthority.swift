// Modules: MeshModel HBONE
import HBONE

/// What is read must be written in a form that reads as the same.
@c(LLVMFuzzerTestOneInput)
public func fuzzAuthority(_ bytes: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  let text = String(decoding: UnsafeBufferPointer(start: bytes, count: count), as: UTF8.self)
  do {
    let authority = try ConnectAuthority(parsing: text)
    let again = try ConnectAuthority(parsing: "\(authority)")
    precondition(again == authority, "\(again) is not \(authority)")
    precondition(authority.port > 0)
  } catch {
    return 0
  }
  return 0
}
