import MeshModel

// SRV: which port a service is on, and under which name.

extension Lookup {
  /// `<service>`, for all its ports, or `_<port>._<protocol>.<service>` for one.
  ///
  /// Of Kubernetes' services only: the SRV records of another domain are its own.
  mutating func services(of asked: String) -> Decision {
    guard let question = ServiceQuestion(asked) else { return .forward }
    for alias in expansion(of: question.host) {
      guard let service = service(alias.host), isKubernetes(service) else { continue }
      guard let ports = ports(of: service, question) else { return .forward }
      // The labels before the service's own stay in the canonical name.
      let labels = alias.canonicalLabels.map { $0 + question.prefixLabels }
      return .answer(Answer(canonicalLabels: labels, services: records(service, ports)))
    }
    return .forward
  }

  /// Nil when the model does not know the port by that name: the cluster's DNS may.
  private func ports(of service: Service, _ question: ServiceQuestion) -> [PortMapping]? {
    guard let port = question.port else { return service.ports }
    guard question.isTCP else { return nil }
    let ports = service.ports.filter { String($0.servicePort) == port }
    return ports.isEmpty ? nil : ports
  }

  private mutating func records(
    _ service: Service, _ ports: [PortMapping]
  ) -> [Answer.ServiceRecord] {
    guard service.virtualAddresses.isEmpty else {
      let own = [true, false].flatMap { addresses(of: service, isIPv4: $0) }
      return ports.map {
        Answer.ServiceRecord(
          port: $0.servicePort, target: service.key.hostname, addresses: own)
      }
    }
    var records: [Answer.ServiceRecord] = []
    for endpoint in shuffled(endpoints(of: service)) {
      let addresses = endpoint.addresses.filter {
        service.addressFamilies.contain(isIPv4: $0.isIPv4)
      }
      guard let first = addresses.first else { continue }
      let isLabel = !endpoint.name.utf8.contains(UInt8(ascii: ".")) && isPod(endpoint)
      let label = isLabel ? endpoint.name : DashedAddress.label(first)
      for port in ports {
        let target = endpoint.services[service.key]?.first { $0.servicePort == port.servicePort }
        let number = [target?.targetPort ?? 0, port.targetPort, port.servicePort].first { $0 != 0 }
        guard let number else { continue }
        records.append(
          Answer.ServiceRecord(
            port: number, target: "\(label).\(service.key.hostname)", addresses: addresses))
      }
    }
    return Array(records.prefix(Limit.addresses))
  }

  private func isPod(_ workload: Workload) -> Bool {
    workload.uid == "\(client.clusterID)//Pod/\(workload.namespace)/\(workload.name)"
  }
}

/// The parts of a name asked for with SRV.
struct ServiceQuestion: Hashable {
  var host: String
  /// Without its underscore; nil when the service itself was asked for.
  var port: String?
  var isTCP = true
  /// Labels before the host.
  var prefixLabels = 0

  /// Nil for names that begin like the long form and are not.
  init?(_ asked: String) {
    guard asked.utf8.first == UInt8(ascii: "_") else {
      host = asked
      return
    }
    let parts = asked.split(separator: ".", maxSplits: 2, omittingEmptySubsequences: false)
    guard parts.count == 3, parts[1].utf8.first == UInt8(ascii: "_"), !parts[2].isEmpty else {
      return nil
    }
    host = String(parts[2])
    port = String(parts[0].dropFirst())
    isTCP = parts[1] == "_tcp"
    prefixLabels = 2
  }
}
