// Modules: CNI
import CNI

/// Any bytes are a call, a message, a list or an error; what was read survives being written.
@c(LLVMFuzzerTestOneInput)
public func fuzzCNI(_ bytes: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  let input = Array(UnsafeBufferPointer(start: bytes, count: count))
  same(input, { (bytes) throws(JSONProblem) in try JSONValue(reading: bytes) }) {
    Array($0.description.utf8)
  }
  same(input, { (bytes) throws(MessageProblem) in try CNIRequest(decoding: bytes) }) {
    $0.encoded()
  }
  same(input, { (bytes) throws(MessageProblem) in try CNIAnswer(decoding: bytes) }) {
    $0.encoded()
  }
  same(input, { (bytes) throws(EnrolledListProblem) in try EnrolledList(reading: bytes) }) {
    $0.bytes
  }
  call(input)
  chain(input)
  return 0
}

private func same<Value: Equatable, Problem: Error>(
  _ input: [UInt8], _ read: ([UInt8]) throws(Problem) -> Value, _ write: (Value) -> [UInt8]
) {
  do throws(Problem) {
    let value = try read(input)
    do throws(Problem) {
      let again = try read(write(value))
      precondition(again == value, "\(value) changed")
    } catch {
      preconditionFailure("\(value) is not read again: \(error)")
    }
  } catch {
    return
  }
}

/// The input is the configuration of every command.
private func call(_ input: [UInt8]) {
  for command in Command.allCases {
    do throws(Failure) {
      let call = try Call(
        environment: [
          "CNI_COMMAND=\(command.rawValue)", "CNI_CONTAINERID=c", "CNI_IFNAME=e", "CNI_NETNS=/n",
          "CNI_ARGS=K8S_POD_NAMESPACE=s;K8S_POD_NAME=w",
        ], input: input)
      precondition(call.configuration.addresses.count <= Limit.addresses)
    } catch {
      precondition(!error.json(version: nil).description.isEmpty)
    }
  }
}

/// The input is a file of networks: our plugin comes and goes without a trace.
private func chain(_ input: [UInt8]) {
  do throws(NetworkListProblem) {
    var list = try NetworkList(reading: input)
    list.remove()
    let before = list
    let plugin = NetworkList.plugin(agentSocket: "/a", enrolledFile: "/e")
    list.add(plugin)
    precondition(list.presence(of: plugin) == .present)
    list.remove()
    precondition(list == before, "a network changed")
  } catch {
    return
  }
}
