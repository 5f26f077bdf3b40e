import Redirect
import Testing
import TestSupport

@Suite(.serialized, .needsRoot) struct Kernel {}

extension Kernel {
  @Test(arguments: EgressHook.allCases, Family.allCases)
  func `an enrolled pod's connection goes through ztunnel`(
    attachment: EgressHook, family: Family
  ) throws {
    try withTown(attachment) { town in
      let standIn = try town.enrol()
      let report = try town.dial(town.peer.address(family), 9000, from: town.pod)
      #expect(report.outcome == "ok")
      let connection = try standIn.connection(family == .v4 ? "outbound4" : "outbound6")
      #expect(connection.to?.address == town.peer.address(family))
      #expect(connection.to?.port == 9000)
    }
  }
}
