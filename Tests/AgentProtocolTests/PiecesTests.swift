import AgentProtocol
import MeshModel
import Testing

@Suite struct `A generation too large for a frame` {
  static let change: ModelChange = {
    var change = ModelChange(isFull: true, generation: 7)
    change.workloads = (0..<500).map { number in
      var workload = Workload(uid: "c//Pod/shop/\(number)", name: "\(number)", namespace: "shop")
      workload.services[ServiceKey(namespace: "shop", hostname: "web")] = []
      return workload
    }
    change.services = (0..<50).map {
      Service(key: ServiceKey(namespace: "shop", hostname: "\($0)"), name: "\($0)")
    }
    change.removedWorkloads = (500..<600).map { "c//Pod/shop/\($0)" }
    return change
  }()

  @Test(arguments: [1, 500, 4_096, 1 << 20])
  func `travels in pieces and is the same at the other end`(limit: Int) throws {
    let pieces =
      limit == 1
      ? try AgentMessage.pieces(of: Self.small, ofAtMost: limit)
      : try AgentMessage.pieces(of: Self.change, ofAtMost: limit * 10)
    let expected = limit == 1 ? Self.small : Self.change
    var assembly = ModelAssembly()
    var whole: ModelChange?
    for piece in pieces {
      #expect(whole == nil, "nothing follows the last piece")
      #expect(limit == 1 || piece.encoded().count < limit * 10 + 64)
      switch piece {
      case .modelPart(let part): try assembly.add(part)
      case .model(let last): whole = try assembly.finish(last)
      default: Issue.record("\(piece)")
      }
    }
    #expect(whole == expected)
    #expect(pieces.count == 1 || limit < 1 << 20)
    #expect(assembly == ModelAssembly())
  }

  static let small: ModelChange = {
    var change = ModelChange(isFull: false, generation: 3)
    change.workloads = Array(Self.change.workloads.prefix(10))
    return change
  }()

  @Test func `is refused when one element alone is too large`() {
    var change = ModelChange(isFull: false, generation: 1)
    var workload = Workload(uid: "huge", name: "huge", namespace: "shop")
    workload.authorizationPolicies = (0..<100).map {
      PolicyKey(namespace: String(repeating: "x", count: 60_000), name: "\($0)")
    }
    change.workloads = [workload]
    let error = #expect(throws: PieceError.self) { try AgentMessage.pieces(of: change) }
    #expect(error?.description.hasPrefix("workload huge alone takes 6000") == true)
  }

  @Test func `is not mixed with another`() throws {
    var assembly = ModelAssembly()
    try assembly.add(ModelChange(isFull: true, generation: 1))
    #expect(throws: PieceError.interrupted(generation: 1, by: 2)) {
      _ = try assembly.finish(ModelChange(isFull: false, generation: 2))
    }
  }
}
