import IstioAPI
import MeshModel
import SwiftProtobuf
import Testing

@testable import XDS

struct ServiceTranslationTests {
  private func wire(
    _ change: (inout Istio_Workload_Service) -> Void = { _ in }
  ) -> Istio_Workload_Service {
    .with {
      $0.name = "web"
      $0.namespace = "shop"
      $0.hostname = "web.shop.svc.cluster.local"
      change(&$0)
    }
  }

  private func problem(_ change: (inout Istio_Workload_Service) -> Void) -> FieldError? {
    do throws(FieldError) {
      _ = try Service(wire(change))
      return nil
    } catch {
      return error
    }
  }

  @Test func `a service without addresses is headless`() throws {
    let service = try Service(wire())
    #expect(service.virtualAddresses.isEmpty)
    #expect(service.key == .web)
    #expect(!service.isCanonical)
  }

  @Test func `an address with a length is a block`() throws {
    let service = try Service(
      wire {
        $0.addresses = [
          .with { $0.address = wireBytes([10, 0, 0, 1]) },
          .with { ($0.network, $0.address, $0.length) = ("far", wireBytes([10, 1, 0, 0]), 16) },
        ]
      })
    #expect(
      service.virtualAddresses.map { "\($0.network) \($0.block)" }
        == [" 10.0.0.1/32", "far 10.1.0.0/16"])
  }

  @Test func `a block of mapped addresses is the IPv4 block it maps`() throws {
    let mapped = [UInt8](repeating: 0, count: 10) + [255, 255, 10, 0, 0, 0]
    let service = try Service(
      wire { $0.addresses = [.with { ($0.address, $0.length) = (wireBytes(mapped), 104) }] })
    #expect(service.virtualAddresses.map { "\($0.block)" } == ["10.0.0.0/8"])
    #expect(
      problem { $0.addresses = [.with { ($0.address, $0.length) = (wireBytes(mapped), 95) }] }
        == FieldError("addresses[0].length", .prefixLength(95)))
  }

  @Test func `a visibility that is not known hides the service from other namespaces`() throws {
    #expect(try Service(wire { $0.visibility = .UNRECOGNIZED(2) }).visibility == .ownNamespace)
  }

  @Test func `a server name that is no SPIFFE id is never accepted, the rest stays`() throws {
    let names = ["web.example", "spiffe://cluster.local/ns/shop/sa/web", "spiffe://td/x"]
    let service = try Service(wire { $0.subjectAltNames = names })
    #expect(service.subjectAltNames.map(\.description) == [names[1]])
  }

  @Test func `what ztunnel does not use changes nothing`() throws {
    let service = try Service(
      wire {
        $0.ports = [.with { ($0.servicePort, $0.appProtocol) = (80, .UNRECOGNIZED(99)) }]
        $0.extensions = [.with { $0.name = "x" }]
        $0.ingressUseWaypoint = true
      })
    #expect(service.ports == [PortMapping(servicePort: 80, targetPort: 0)])
  }

  @Test func `every field that does not parse is named`() {
    #expect(
      problem { $0.hostname = "" }
        == FieldError("namespace and hostname", .malformedName("shop/")))
    #expect(problem { $0.namespace = "a/b" }?.field == "namespace and hostname")
    #expect(
      problem { $0.addresses = [.init()] }
        == FieldError("addresses[0].address", .addressBytes(0)))
    #expect(
      problem {
        $0.addresses = [.with { ($0.address, $0.length) = (wireBytes([10, 0, 0, 0]), 33) }]
      }
        == FieldError("addresses[0].length", .prefixLength(33)))
    #expect(
      problem { $0.ports = [.with { $0.servicePort = 1 << 16 }] }
        == FieldError("ports[0].service_port", .port(1 << 16)))
    #expect(
      problem { $0.weightedWaypoints = [.with { $0.weight = 1 }] }
        == FieldError("weighted_waypoints[0].destination.destination", .missing))
    #expect(
      problem { $0.ipFamilies = .UNRECOGNIZED(4) } == FieldError("ip_families", .unknownValue(4)))
    #expect(
      problem { $0.loadBalancing.mode = .UNRECOGNIZED(4) }
        == FieldError("load_balancing.mode", .unknownValue(4)))
    #expect(
      problem { $0.loadBalancing.healthPolicy = .UNRECOGNIZED(2) }
        == FieldError("load_balancing.health_policy", .unknownValue(2)))
    #expect(
      problem { $0.loadBalancing.routingPreference = [.zone, .unspecifiedScope] }
        == FieldError("load_balancing.routing_preference[1]", .unknownValue(0)))
  }
}
