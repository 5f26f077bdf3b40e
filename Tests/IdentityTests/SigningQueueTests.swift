import Identity
import MeshModel
import Testing

private func id(_ account: Int) -> SPIFFEID {
  SPIFFEID(trustDomain: "cluster.local", namespace: "shop", serviceAccount: "\(account)")
}

private func seconds(_ seconds: Int64) -> Instant { Instant(nanoseconds: 0) + .seconds(seconds) }

private func request(_ account: Int, _ byte: UInt8 = 1) -> SigningQueue.Request {
  SigningQueue.Request(identity: id(account), bytes: [byte])
}

private func equal(_: SPIFFEID) -> SigningUrgency { .needed }

@Suite struct `Requests for certificates take turns` {
  /// 0 to 2 renewal, 3 to 5 warm-up, from 6 on needed.
  private func byNumber(_ identity: SPIFFEID) -> SigningUrgency {
    switch Int(identity.serviceAccount) ?? 0 {
    case 0...2: .renewal
    case 3...5: .warmUp
    default: .needed
    }
  }

  @Test func `what is needed now before what warms up before what renews`() {
    var queue = SigningQueue()
    for account in 0...7 {
      #expect(queue.add(request(account), at: seconds(0), urgency: byNumber) == nil)
    }
    var order: [String] = []
    while let next = queue.next(urgency: byNumber) {
      order.append(next.identity.serviceAccount)
      queue.finished(next.identity)
    }
    #expect(order == ["6", "7", "3", "4", "5", "0", "1", "2"])
  }

  @Test func `one that became urgent while it waited is the next`() {
    var queue = SigningQueue()
    for account in 0...5 { _ = queue.add(request(account), at: seconds(0), urgency: byNumber) }
    let next = queue.next { $0 == id(2) ? .needed : byNumber($0) }
    #expect(next?.identity == id(2))
  }

  @Test func `eight at a time`() {
    var queue = SigningQueue()
    for account in 0..<20 { _ = queue.add(request(account), at: seconds(0), urgency: equal) }
    var started = 0
    while queue.next(urgency: equal) != nil { started += 1 }
    #expect(started == 8)
    #expect(queue.underWayCount == 8)
    queue.finished(id(0))
    #expect(queue.next(urgency: equal)?.identity == id(8))
    #expect(queue.next(urgency: equal) == nil)
  }

  @Test func `the newest of one identity, and not beside the one under way`() {
    var queue = SigningQueue()
    _ = queue.add(request(1, 1), at: seconds(0), urgency: equal)
    _ = queue.add(request(1, 2), at: seconds(1), urgency: equal)
    #expect(queue.waitingCount == 1)
    #expect(queue.next(urgency: equal)?.bytes == [2])
    _ = queue.add(request(1, 3), at: seconds(2), urgency: equal)
    #expect(queue.next(urgency: equal) == nil)
    queue.finished(id(1))
    #expect(queue.next(urgency: equal)?.bytes == [3])
  }

  @Test func `a full queue lets go of the least urgent, maybe of the one that comes`() {
    var queue = SigningQueue()
    let limit = IdentityLimit.signingWaiting
    for account in 10..<10 + limit {
      #expect(queue.add(request(account), at: seconds(0), urgency: byNumber) == nil)
    }
    #expect(queue.add(request(0), at: seconds(0), urgency: byNumber) == id(0))
    let young = queue.add(request(9_999), at: seconds(0), urgency: byNumber)
    #expect(young == id(9_999), "of equals the youngest")
    let displaced = queue.add(request(9_999), at: seconds(0)) {
      $0 == id(9_999) ? .needed : .renewal
    }
    #expect(displaced == id(10 + limit - 1))
    #expect(queue.waitingCount == limit)
  }

  @Test func `none waits for ever`() {
    var queue = SigningQueue()
    _ = queue.add(request(1), at: seconds(0), urgency: equal)
    _ = queue.add(request(2), at: seconds(10), urgency: equal)
    #expect(queue.expire(at: seconds(29)) == [])
    #expect(queue.expire(at: seconds(30)) == [id(1)])
    #expect(queue.waitingCount == 1)
    queue.removeWaiting()
    #expect(queue.next(urgency: equal) == nil)
  }

  @Test func `an answer always comes before ztunnel stops waiting for it`() {
    #expect(IdentityLimit.signingWait + .seconds(10) < IdentityLimit.answer)
  }
}
