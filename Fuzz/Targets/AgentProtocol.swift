// Modules: MeshModel AgentProtocol
import AgentProtocol

/// Any payload ends in a message or an error; a message survives being written and read.
@c(LLVMFuzzerTestOneInput)
public func fuzzAgentProtocol(_ bytes: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  let input = Array(UnsafeBufferPointer(start: bytes, count: count))
  if let written = rewritten(input, agentMessage) {
    precondition(rewritten(written, agentMessage) == written, "an agent message changed")
  }
  if let written = rewritten(input, tunnelMessage) {
    precondition(rewritten(written, tunnelMessage) == written, "a tunnel message changed")
  }
  return 0
}

private func agentMessage(_ bytes: [UInt8]) throws(DecodingError) -> [UInt8] {
  try AgentMessage(decoding: bytes.span).encoded()
}

private func tunnelMessage(_ bytes: [UInt8]) throws(DecodingError) -> [UInt8] {
  try TunnelMessage(decoding: bytes.span).encoded()
}

private func rewritten(
  _ bytes: [UInt8], _ read: ([UInt8]) throws(DecodingError) -> [UInt8]
) -> [UInt8]? {
  do throws(DecodingError) {
    return try read(bytes)
  } catch {
    return nil
  }
}
