import IstioAPI
import MeshModel
import SwiftProtobuf
import Testing

@testable import XDS

struct PolicyTranslationTests {
  private func wire(_ match: Istio_Security_Match) -> Istio_Security_Authorization {
    .with {
      $0.name = "one"
      $0.namespace = "shop"
      $0.rules = [.with { $0.clauses = [.with { $0.matches = [match] }] }]
    }
  }

  private func problem(
    _ policy: Istio_Security_Authorization
  ) -> FieldError? {
    do throws(FieldError) {
      _ = try AuthorizationPolicy(policy)
      return nil
    } catch {
      return error
    }
  }

  private let place = "rules[0].clauses[0].matches[0]"

  @Test func `a block that does not parse rejects the policy, it is not left out`() {
    #expect(
      problem(wire(.with { $0.sourceIps = [.with { $0.address = wireBytes([10]) }] }))
        == FieldError("\(place).source_ips[0].address", .addressBytes(1)))
    #expect(
      problem(
        wire(
          .with {
            $0.notDestinationIps = [
              .with { ($0.address, $0.length) = (wireBytes([10, 0, 0, 0]), 64) }
            ]
          }))
        == FieldError("\(place).not_destination_ips[0].length", .prefixLength(64)))
  }

  @Test func `a text without a kind rejects the policy, it is not left out`() {
    #expect(
      problem(wire(.with { $0.principals = [.with { $0.presence = .init() }, .init()] }))
        == FieldError("\(place).principals[1].match_type", .missing))
  }

  @Test func `a port above 65535 rejects the policy, it is not cut to 16 bits`() {
    #expect(
      problem(wire(.with { $0.destinationPorts = [80, 65_536 + 80] }))
        == FieldError("\(place).destination_ports[1]", .port(65_616)))
  }

  @Test func `a scope or action that is not known rejects the policy`() {
    var policy = wire(.init())
    policy.scope = .UNRECOGNIZED(3)
    #expect(problem(policy) == FieldError("scope", .unknownValue(3)))
    policy.scope = .global
    policy.action = .UNRECOGNIZED(2)
    #expect(problem(policy) == FieldError("action", .unknownValue(2)))
  }

  @Test func `a policy has a namespace and a name`() {
    #expect(
      problem(.with { $0.name = "one" })
        == FieldError("namespace and name", .malformedName("/one")))
  }

  @Test func `an empty block length means every address, as it is written`() throws {
    let policy = try AuthorizationPolicy(
      wire(.with { $0.sourceIps = [.with { $0.address = wireBytes([10, 0, 0, 0]) }] }))
    #expect(
      policy.rules.first?.clauses.first?.matches.first?.sourceIPs.map(\.description)
        == ["10.0.0.0/0"])
  }
}
