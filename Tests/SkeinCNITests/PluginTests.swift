import CNI
import FoundationEssentials
import Linux
import Testing

private let program = ProcessInfo.processInfo.environment["SKEIN_CNI"] ?? ""
private let result = #"{"cniVersion":"1.0.0","ips":[{"address":"10.0.0.7/24"}]}"#

/// A folder with an agent's socket, its list and one configuration, and the plugin run beside it.
private struct Scene: ~Copyable {
  let folder: String
  var socketPath: String { "\(folder)/s" }

  init(list: String?) throws {
    folder = "/tmp/skein-cni-\(CurrentProcess.id)-\(Random.uint64())"
    try Directory.make(folder)
    if let list { try File.replace("\(folder)/list", with: Array(list.utf8)) }
    let input =
      #"{"cniVersion":"1.0.0","name":"n","type":"skein-cni","agentSocket":"\#(folder)/s","#
      + #""enrolledFile":"\#(folder)/list","prevResult":\#(result)}"#
    try File.replace("\(folder)/in", with: Array(input.utf8))
  }

  deinit {
    do {
      for name in try Directory.entries(folder) { try File.remove("\(folder)/\(name)") }
      try Directory.remove(folder)
    } catch {
      Issue.record("\(error)")
    }
  }

  func start(_ command: String, input: String = "in") throws -> ProcessHandle {
    try ChildProcess(
      path: "/bin/sh",
      arguments: ["-c", "exec \(program) <\(folder)/\(input) >\(folder)/out"],
      environment: [
        "CNI_COMMAND=\(command)", "CNI_CONTAINERID=c1", "CNI_IFNAME=eth0", "CNI_NETNS=/n",
        "CNI_ARGS=K8S_POD_NAMESPACE=shop;K8S_POD_NAME=web",
      ]
    ).spawn()
  }

  var output: String {
    get throws { try File.readText("\(folder)/out") }
  }

  /// What the plugin prints, alone with nobody on the socket.
  func run(_ command: String, input: String = "in") throws -> (ProcessOutcome, String) {
    let outcome = try start(command, input: input).wait()
    return (outcome, try output)
  }

  /// Takes one request and gives one answer; then what the plugin did.
  func run(
    _ command: String, answer: CNIAnswer
  ) throws -> (request: CNIRequest, ProcessOutcome, String) {
    let listener = try UnixSocket.listen(path: socketPath)
    let process = try start(command)
    let poller = try Poller()
    try poller.add(listener.number, token: 0, .readable)
    var events: [PollEvent] = []
    try poller.wait(timeout: .seconds(60), into: &events)
    guard let accepted = try listener.accept() else { throw Missing.connection }
    try poller.add(accepted.socket.number, token: 1, .readable)
    var reader = FrameReader()
    while true {
      switch try reader.read(from: accepted.socket) {
      case .frame(let frame):
        let payload = frame.payload
        let request = try CNIRequest(decoding: payload.indices.map { payload[$0] })
        var writer = FrameWriter()
        try writer.enqueue(answer.encoded().span)
        _ = try writer.flush(to: accepted.socket)
        return (request, try process.wait(), try output)
      case .endOfFile: throw Missing.request
      case .wouldBlock:
        try poller.wait(timeout: .seconds(60), into: &events)
        guard !events.isEmpty else { throw Missing.request }
      }
    }
  }

  enum Missing: Error {
    case connection
    case request
  }
}

private let shop = #"{"version":1,"namespaces":["shop"]}"#
private let nobody = #"{"version":1,"namespaces":[]}"#

@Suite(.enabled(if: !program.isEmpty, "SKEIN_CNI is not set: make test builds it"))
struct `The CNI plugin` {
  @Test(arguments: [CNIAnswer.enrolled, .notOurs])
  func `asks the agent and passes the result on`(answer: CNIAnswer) throws {
    let (request, outcome, output) = try Scene(list: shop).run("ADD", answer: answer)
    #expect(request.kind == .add && request.pod.namespace == "shop" && request.pod.name == "web")
    #expect(request.namespacePath == "/n" && request.addresses == ["10.0.0.7"])
    #expect(outcome == .exited(code: 0))
    #expect(output == "\(result)\n")
  }

  @Test func `says why a pod was refused`() throws {
    let answer = CNIAnswer.refused(reason: "two pods have its address")
    let (_, outcome, output) = try Scene(list: shop).run("ADD", answer: answer)
    #expect(outcome == .exited(code: 1))
    #expect(output.contains(#""code":100"#) && output.contains("two pods have its address"))
  }

  struct Row: Sendable {
    let command: String
    let list: String?
    /// Nil: the call succeeds.
    let code: Int?
  }

  @Test(arguments: [
    Row(command: "ADD", list: nobody, code: nil), Row(command: "ADD", list: shop, code: 11),
    Row(command: "ADD", list: nil, code: 11), Row(command: "ADD", list: "?", code: 11),
    Row(command: "CHECK", list: shop, code: 11), Row(command: "DEL", list: shop, code: nil),
    Row(command: "DEL", list: nil, code: nil), Row(command: "GC", list: nil, code: nil),
    Row(command: "STATUS", list: shop, code: nil), Row(command: "STATUS", list: nil, code: 50),
    Row(command: "PLAY", list: shop, code: 4),
  ])
  func `without an agent holds back only what is listed as enrolled`(row: Row) throws {
    let (outcome, output) = try Scene(list: row.list).run(row.command)
    #expect(outcome == .exited(code: row.code == nil ? 0 : 1))
    if let code = row.code { #expect(output.contains(#""code":\#(code)"#)) }
    if row.command == "ADD", row.code == nil { #expect(output == "\(result)\n") }
  }

  @Test func `lets a deletion through that it cannot read`() throws {
    let scene = try Scene(list: shop)
    try File.replace("\(scene.folder)/bad", with: Array("{".utf8))
    #expect(try scene.run("DEL", input: "bad") == (.exited(code: 0), ""))
  }

  @Test func `does not read a configuration without an end`() throws {
    let scene = try Scene(list: nobody)
    let bytes = [UInt8](repeating: UInt8(ascii: " "), count: Limit.inputBytes + 1)
    try File.replace("\(scene.folder)/long", with: bytes)
    let (outcome, output) = try scene.run("ADD", input: "long")
    #expect(outcome == .exited(code: 1))
    #expect(output.contains(#""code":6"#), "\(output)")
  }

  @Test func `does not wait for a configuration that never ends`() throws {
    let scene = try Scene(list: nobody)
    // The shell opens both ends: what is read never ends.
    let command = "printf '{' >&3; exec \(program) <&3 >\(scene.folder)/out"
    let process = try ChildProcess(
      path: "/bin/sh",
      arguments: ["-c", "mkfifo \(scene.folder)/pipe; exec 3<>\(scene.folder)/pipe; \(command)"],
      environment: ["CNI_COMMAND=ADD", "PATH=/usr/bin:/bin"]
    ).spawn()
    #expect(try process.wait() == .exited(code: 1))
    #expect(try scene.output.contains("timed out"))
  }

  @Test func `gives up on an agent that accepts and says nothing`() throws {
    let scene = try Scene(list: nobody)
    let listener = try UnixSocket.listen(path: scene.socketPath)
    #expect(try scene.run("DEL") == (.exited(code: 0), ""))
    #expect(try scene.run("ADD") == (.exited(code: 0), "\(result)\n"))
    _ = listener.number
  }

  @Test func `names the versions it speaks`() throws {
    let (outcome, output) = try Scene(list: nil).run("VERSION")
    #expect(outcome == .exited(code: 0))
    #expect(
      output == #"{"cniVersion":"1.0.0","supportedVersions":["0.3.1","0.4.0","1.0.0","1.1.0"]}"#
        + "\n")
  }
}
