import MeshModel

/// One namespace as it is compiled: its objects, and what it is told of the rest of the mesh.
struct Scope {
  let options: CompilerOptions
  let objects: NamespaceObjects
  /// Where each node is.
  let nodes: [String: Locality]
  let surroundings: Surroundings

  var network: String { surroundings.network }

  /// The host name of a Kubernetes service.
  func hostname(_ name: String, _ namespace: String) -> String {
    "\(name).\(namespace).svc.\(options.clusterDomain)"
  }

  /// What the annotation of the namespace says of its services.
  var distribution: LoadBalancing {
    objects.namespace?.value.distribution ?? LoadBalancing()
  }
}

/// What other namespaces mean for who is in this one, and who serves what.
struct Surroundings: Equatable {
  /// Of what no label puts on another.
  var network = ""
  /// The pods at the addresses that slices here list without naming a pod.
  var owners: [IPAddress: AddressOwner] = [:]
  /// Hosts of ServiceEntries here for which somebody else speaks.
  var takenHosts: [String: Set<String>] = [:]
}

/// The pod that has an address.
struct AddressOwner: Equatable {
  var uid: String
  var namespace: String
  var identity: SPIFFEID
  var network: String
}

extension Catalog {
  /// What a namespace is told before it is known who else is in the mesh.
  func surroundings(of objects: NamespaceObjects) -> Surroundings {
    var surroundings = Surroundings(network: network)
    for address in objects.plainAddresses.values.joined() {
      guard case .pod(let pod)? = addresses.first(address) else { continue }
      surroundings.owners[address] = AddressOwner(
        uid: pod.value.workloadUID(options), namespace: pod.value.metadata.namespace,
        identity: pod.value.identity(options), network: pod.value.network ?? network)
    }
    for (name, entry) in objects.serviceEntries {
      let taken = entry.value.hosts.map(\.value).filter { host in
        hosts.first(host)?.entry !== entry || isService(host)
      }
      if !taken.isEmpty { surroundings.takenHosts[name] = Set(taken) }
    }
    return surroundings
  }

  /// Whether a host name is that of a Kubernetes service the mesh routes.
  private func isService(_ host: String) -> Bool {
    let parts = host.split(separator: ".", maxSplits: 2)
    guard parts.count == 3, parts[2] == "svc.\(options.clusterDomain)" else { return false }
    return namespaces[String(parts[1])]?.services[String(parts[0])]?.value.isRouted ?? false
  }
}
