import IstioAPI
import MeshModel
import SwiftProtobuf
import Testing

@testable import XDS

struct WorkloadTranslationTests {
  private func wire(
    _ change: (inout Istio_Workload_Workload) -> Void = { _ in }
  ) -> Istio_Workload_Workload {
    .with {
      $0.uid = "k//Pod/shop/web"
      $0.name = "web"
      $0.namespace = "shop"
      change(&$0)
    }
  }

  private func problem(
    _ change: (inout Istio_Workload_Workload) -> Void
  ) -> FieldError? {
    do throws(FieldError) {
      _ = try Workload(wire(change))
      return nil
    } catch {
      return error
    }
  }

  @Test func `what is not said stands for Istio's defaults`() throws {
    let workload = try Workload(wire())
    #expect("\(workload.identity)" == "spiffe://cluster.local/ns/shop/sa/default")
    #expect(workload.clusterID == "Kubernetes")
    #expect(workload.capacity == 1)
    #expect(workload.tunnelProtocol == .none)
    #expect(workload.health == .healthy)
    #expect(workload.applicationTunnel == nil && workload.waypoint == nil)
  }

  @Test func `a capacity of 0 is not an unset one`() throws {
    #expect(try Workload(wire { $0.capacity.value = 0 }).capacity == 0)
  }

  @Test func `Istio's older mutual TLS is reached as plain TCP`() throws {
    #expect(try Workload(wire { $0.tunnelProtocol = .legacyIstioMtls }).tunnelProtocol == .none)
  }

  @Test func `a gateway without a port is reached on 15008`() throws {
    let workload = try Workload(
      wire { $0.waypoint.hostname = .with { ($0.namespace, $0.hostname) = ("shop", "way") } })
    #expect(workload.waypoint?.tunnelPort == 15_008)
  }

  @Test func `an entry to a network may lack a namespace`() throws {
    let workload = try Workload(.with { $0.uid = "NetworkGateway/far/10.0.0.1/15008" })
    #expect(workload.namespace == "")
  }

  @Test func `a mapped address is the IPv4 address it maps`() throws {
    let bytes = [UInt8](repeating: 0, count: 10) + [255, 255, 10, 0, 0, 7]
    #expect(try Workload(wire { $0.addresses = [wireBytes(bytes)] }).addresses == [ip("10.0.0.7")])
  }

  @Test func `every field that does not parse is named`() {
    #expect(problem { $0.uid = "" } == FieldError("uid", .missing))
    #expect(
      problem { $0.addresses = [wireBytes([1, 2, 3, 4]), wireBytes([1])] }
        == FieldError("addresses[1]", .addressBytes(1)))
    #expect(
      problem { $0.waypoint = .init() } == FieldError("waypoint.destination", .missing))
    #expect(
      problem { $0.networkGateway.address.address = wireBytes([9]) }
        == FieldError("network_gateway.address.address", .addressBytes(1)))
    #expect(
      problem {
        $0.waypoint.address = .with { ($0.address, $0.length) = (wireBytes([10, 0, 0, 0]), 8) }
      } == FieldError("waypoint.address.length", .prefixLength(8)))
    #expect(
      problem { $0.waypoint.hostname.hostname = "way" }
        == FieldError("waypoint.hostname", .malformedName("/way")))
    #expect(
      problem {
        $0.waypoint.address.address = wireBytes([1, 2, 3, 4])
        $0.waypoint.hboneMtlsPort = 70_000
      } == FieldError("waypoint.hbone_mtls_port", .port(70_000)))
    #expect(
      problem { $0.applicationTunnel.port = 65_536 }
        == FieldError("application_tunnel.port", .port(65_536)))
    #expect(
      problem { $0.authorizationPolicies = ["a/b", "a/b/c"] }
        == FieldError("authorization_policies[1]", .malformedName("a/b/c")))
    #expect(
      problem { $0.services = ["web": .init()] } == FieldError("services", .malformedName("web")))
    #expect(
      problem {
        $0.services = ["a/b": .with { $0.ports = [.with { $0.targetPort = 65_536 }] }]
      } == FieldError("services[a/b].ports[0].target_port", .port(65_536)))
  }

  @Test func `a value that the API does not know rejects the workload`() {
    #expect(
      problem { $0.tunnelProtocol = .UNRECOGNIZED(3) }
        == FieldError("tunnel_protocol", .unknownValue(3)))
    #expect(problem { $0.status = .UNRECOGNIZED(2) } == FieldError("status", .unknownValue(2)))
    #expect(
      problem { $0.networkMode = .UNRECOGNIZED(-1) }
        == FieldError("network_mode", .unknownValue(-1)))
    #expect(
      problem { $0.workloadType = .UNRECOGNIZED(260) }
        == FieldError("workload_type", .unknownValue(260)))
    #expect(
      problem { $0.applicationTunnel.protocol = .UNRECOGNIZED(7) }
        == FieldError("application_tunnel.protocol", .unknownValue(7)))
  }

  @Test(arguments: ["a/sa/root", "..", "a b", "a\u{0}"])
  func `no part of an identity can make it somebody else's`(part: String) {
    #expect(problem { $0.namespace = part }?.field == "trust_domain, namespace and service_account")
    #expect(problem { $0.serviceAccount = part } != nil)
    #expect(problem { $0.trustDomain = part } != nil || part == "..")
  }

  @Test func `an error reads as a sentence`() {
    #expect(
      "\(FieldError("addresses[1]", .addressBytes(1)))"
        == "addresses[1] has 1 bytes, an address has 4 or 16")
    #expect("\(FieldError("status", .unknownValue(2)))" == "status is 2, which is not known")
  }
}
