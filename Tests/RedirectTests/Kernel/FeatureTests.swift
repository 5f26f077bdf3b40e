import Linux
@testable import Redirect
import Testing

extension Kernel {
  @Suite struct `The kernel's features` {
    @Test func `are tried for real, each with what it is for and what happens without it`() throws {
      let features = KernelFeatures.probe()
      #expect(features.isSufficient)
      for feature in features.features {
        #expect(!feature.purpose.isEmpty && !feature.otherwise.isEmpty)
        if feature.importance == .required { #expect(feature.isWorking, "\(feature)") }
      }
      #expect(Set(features.features.map(\.name)).count == features.features.count)
      // This machine may lack these, and says so.
      let known = ["kTLS", "CAP_SYS_RESOURCE", "tcx"]
      for feature in features.features where !known.contains(feature.name) {
        #expect(feature.isWorking, "\(feature)")
      }
    }

    @Test func `leave no namespace, program or descriptor behind`() async {
      await #expect(processExitsWith: .success) {
        _ = KernelFeatures.probe()
        let before = try CurrentProcess.openDescriptorCount()
        for _ in 0..<5 { _ = KernelFeatures.probe() }
        let after = try CurrentProcess.openDescriptorCount()
        precondition(after == before, "kept \(after - before) descriptors")
      }
    }

    @Test func `are not enough without an egress hook`() {
      var features = KernelFeatures.probe()
      features.features.removeAll { KernelFeatures.egressHooks.contains($0.name) }
      #expect(!features.isSufficient)
    }

    @Test func `tell a capability by its bit`() {
      let status = "Name:\tx\nCapPrm:\t0000000000000000\nCapEff:\t000001fffeffffff\n"
      #expect(Capability.effective(in: status) == 0x0000_01ff_feff_ffff)
      #expect(Capability.effective(in: "Name:\tx\n") == nil)
    }
  }

  @Suite struct `An enrolled pod's descriptors` {
    @Test func `are all given back`() async {
      await #expect(processExitsWith: .success) {
        let town = try Town()
        try town.enrol()
        let before = try CurrentProcess.openDescriptorCount()
        for _ in 0..<5 {
          let listeners = PodListeners(town.keptListeners.map(\.number))
          guard let listeners else { preconditionFailure("no listeners") }
          try town.redirection.enrol(
            town.podRedirection, namespace: town.pod.namespace, listeners: listeners)
          _ = try town.redirection.facts(of: Town.uid)
          _ = try town.redirection.counters(of: Town.uid)
          _ = try town.redirection.evidence(
            for: town.podRedirection, namespace: town.pod.namespace)
          try town.redirection.follow(Town.uid, namespace: town.pod.namespace)
          _ = try town.redirection.adopt()
          try town.redirection.release(Town.uid, namespace: town.pod.namespace)
        }
        let after = try CurrentProcess.openDescriptorCount()
        precondition(after == before, "kept \(after - before) descriptors")
        try town.tearDown()
      }
    }
  }
}
