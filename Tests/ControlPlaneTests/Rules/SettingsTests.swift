import ArgumentParser
import MeshCompiler
import Testing

@testable import ControlPlane

@Suite struct `The settings of a control plane` {
  private let words = ["--config", "/tmp", "--ca-dir", "/tmp/ca", "--server-name", "a"]

  @Test func `enrol by the label of injection only when told to`() throws {
    let silent = try RunCommand.parse(words).settings()
    #expect(!silent.compilerOptions.enrolsInjectionLabel)
    let told = try RunCommand.parse(words + ["--enroll-injection-label"]).settings()
    #expect(told.compilerOptions.enrolsInjectionLabel)
  }
}
