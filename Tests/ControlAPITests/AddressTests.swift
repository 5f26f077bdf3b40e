import Testing

@testable import ControlAPI

@Suite struct `An address of a control plane` {
  struct Row: CustomTestStringConvertible, Sendable {
    var testDescription: String
    var host: String?
    var port: UInt16 = 15_012
  }

  @Test(arguments: [
    Row(testDescription: "istiod.istio-system.svc:15012", host: "istiod.istio-system.svc"),
    Row(testDescription: "istiod.istio-system.svc", host: "istiod.istio-system.svc"),
    Row(testDescription: "https://control.example:443", host: "control.example", port: 443),
    Row(testDescription: "https://control.example/", host: "control.example"),
    Row(testDescription: "10.0.0.7:1", host: "10.0.0.7", port: 1),
    Row(testDescription: "[fd00::7]:15012", host: "fd00::7"),
    Row(testDescription: "[fd00::7]", host: "fd00::7"),
    Row(testDescription: "", host: nil),
    Row(testDescription: ":15012", host: nil),
    Row(testDescription: "host:", host: nil),
    Row(testDescription: "host:0", host: nil),
    Row(testDescription: "host:65536", host: nil),
    Row(testDescription: "host:+1", host: nil),
    Row(testDescription: "http://host", host: nil),
    Row(testDescription: "host/path", host: nil),
    Row(testDescription: "[host]:1", host: nil),
    Row(testDescription: "fd00::7", host: nil),
    Row(testDescription: "ho st", host: nil),
  ])
  func `is read, or refused`(row: Row) {
    let address = ControlAddress(row.testDescription)
    #expect(address?.host == row.host)
    if row.host != nil { #expect(address?.port == row.port) }
  }
}
