import MeshModel

/// A v1 Pod, as far as the mesh cares.
struct PodManifest: Equatable {
  var origin: Origin
  var metadata: Metadata
  var node: String
  var serviceAccount: Written<String>?
  var isHostNetwork: Bool
  /// TCP ports that have a name.
  var namedPorts: [String: UInt16]
  var addresses: [Written<IPAddress>]
  var phase: Phase?
  /// Nil when no condition says so.
  var isReady: Bool?
  /// An absolute path.
  var networkNamespace: String?
  /// Nil: that of the mesh.
  var trustDomain: String?
  /// Whether the mesh answers its DNS queries.
  var dnsCapture: Bool
  var connectionWish: ConnectionWish

  enum Phase: String, CaseIterable {
    case pending = "Pending"
    case running = "Running"
    case succeeded = "Succeeded"
    case failed = "Failed"
    case unknown = "Unknown"
  }

  var isFinished: Bool { phase == .succeeded || phase == .failed }

  var health: Workload.Health {
    if metadata.isBeingDeleted { return .unhealthy }
    if let isReady { return isReady ? .healthy : .unhealthy }
    return phase == .pending || phase == .unknown ? .unhealthy : .healthy
  }

  /// Its own, or a stand-in that stays the same while it keeps its name.
  var uid: String {
    metadata.uid?.value ?? standInUID(namespace: metadata.namespace, name: metadata.name)
  }

  /// Its key in the model.
  func workloadUID(_ options: CompilerOptions) -> String {
    podUID(metadata.namespace, metadata.name, options)
  }

  func identity(_ options: CompilerOptions) -> SPIFFEID {
    SPIFFEID(
      trustDomain: trustDomain ?? options.trustDomain, namespace: metadata.namespace,
      serviceAccount: serviceAccount?.value ?? "default")
  }

  /// Of its label; nil without one.
  var network: String? { metadata.labels[Key.network] }

  /// Whether it says that it wants no sidecar.
  var refusesInjection: Bool {
    metadata.labels[Key.sidecarInjection] == "false"
      || metadata.annotations[Key.sidecarInjection]?.value.content == .string("false")
  }

  /// Whether its addresses are nobody else's: neither the node's nor given to another by now.
  var ownsAddresses: Bool { !isFinished && !isHostNetwork }

  init(_ root: Fields, _ metadata: Metadata, _ reader: inout ObjectReader) {
    let spec = reader.mapping(root["spec"], .podSpec) ?? .absent(at: "spec", line: root.line)
    let status =
      reader.mapping(root["status"], .podStatus) ?? .absent(at: "status", line: root.line)
    self.metadata = metadata
    node = reader.string(spec["nodeName"])?.value ?? ""
    serviceAccount = reader.serviceAccount(spec)
    isHostNetwork = reader.boolean(spec["hostNetwork"]) ?? false
    namedPorts = reader.namedPorts(spec)
    addresses = reader.podAddresses(status)
    phase = reader.word(status["phase"], of: Phase.allCases.map(\.rawValue))
      .flatMap(Phase.init(rawValue:))
    isReady = reader.readiness(status)
    networkNamespace = reader.networkNamespace(metadata.annotations)
    trustDomain = reader.trustDomain(metadata.annotations)
    dnsCapture = reader.dnsCapture(metadata.annotations)
    connectionWish = reader.connectionWish(metadata.annotations)
    origin = reader.origin
  }
}

extension ObjectReader {
  fileprivate mutating func serviceAccount(_ spec: Fields) -> Written<String>? {
    guard let written = string(spec["serviceAccountName"] ?? spec["serviceAccount"]) else {
      return nil
    }
    if written.value.isEmpty { return nil }
    guard NameShape.subdomain.accepts(written.value) else {
      invalid(
        written, "expected \(NameShape.subdomain.expectation), found \(quoted(written.value))")
      return nil
    }
    return written
  }

  fileprivate mutating func namedPorts(_ spec: Fields) -> [String: UInt16] {
    var named: [String: UInt16] = [:]
    for key in ["containers", "initContainers"] {
      for container in mappings(spec[key], .container) {
        let isSidecar = string(container["restartPolicy"])?.value == "Always"
        for port in mappings(container["ports"], .containerPort) {
          let number = self.port(port["containerPort"])
          if port["containerPort"] == nil {
            report(
              .error, .missing, at: port.pathOf("containerPort"), line: port.line,
              "expected a port number from 1 to 65535")
          }
          let transport = word(port["protocol"], of: transportProtocols) ?? "TCP"
          guard let name = string(port["name"]) else { continue }
          guard NameShape.portName.accepts(name.value) else {
            invalid(name, "expected \(NameShape.portName.expectation), found \(quoted(name.value))")
            continue
          }
          guard let number, transport == "TCP", key == "containers" || isSidecar else { continue }
          if named[name.value] == nil { named[name.value] = number }
        }
      }
    }
    return named
  }

  /// `status.podIPs`; `status.podIP` must be its first, and stands for it alone.
  fileprivate mutating func podAddresses(_ status: Fields) -> [Written<IPAddress>] {
    var addresses: [Written<IPAddress>] = []
    for item in mappings(status["podIPs"], .podIP) {
      guard let address = address(item["ip"]) else {
        if item["ip"] == nil {
          report(.error, .missing, at: item.pathOf("ip"), line: item.line, "expected an address")
        }
        continue
      }
      if addresses.contains(where: { $0.value == address.value }) {
        invalid(address, "expected each address once, found \(address.value) again")
      }
      addresses.append(address)
    }
    guard let primary = address(status["podIP"]) else { return addresses }
    guard let first = addresses.first else { return [primary] }
    if primary.value != first.value {
      invalid(
        primary, "expected the first of status.podIPs, \(first.value), found \(primary.value)")
    }
    return addresses
  }

  fileprivate mutating func readiness(_ status: Fields) -> Bool? {
    var isReady: Bool?
    for condition in mappings(status["conditions"], .condition) {
      guard let type = string(condition["type"]), type.value == "Ready" else { continue }
      if let status = word(condition["status"], of: ["True", "False", "Unknown"]) {
        isReady = status == "True"
      }
    }
    return isReady
  }

  /// On, unless the pod says `false`.
  fileprivate mutating func dnsCapture(_ annotations: Fields) -> Bool {
    guard let written = string(annotations[Key.dnsCapture]) else { return true }
    guard written.value == "true" || written.value == "false" else {
      invalid(written, "expected true or false, found \(quoted(written.value))")
      return true
    }
    return written.value == "true"
  }

  /// Of a pod in a federated domain.
  fileprivate mutating func trustDomain(_ annotations: Fields) -> String? {
    guard let written = string(annotations[Key.trustDomain]) else { return nil }
    guard NameShape.subdomain.accepts(written.value) else {
      invalid(
        written, "expected \(NameShape.subdomain.expectation), found \(quoted(written.value))")
      return nil
    }
    return written.value
  }

  /// The annotation's name under /run/netns, or its absolute path, as a path.
  fileprivate mutating func networkNamespace(_ annotations: Fields) -> String? {
    guard let written = string(annotations[Key.networkNamespace]) else { return nil }
    let text = written.value
    let parts = text.split(separator: "/", omittingEmptySubsequences: false)
    let isPath = text.hasPrefix("/") && parts.count > 1
    let steps = isPath ? parts.dropFirst() : parts[...]
    guard isPath || parts.count == 1, !text.utf8.contains(0), text.utf8.count < 256,
      steps.allSatisfy({ !$0.isEmpty && $0 != "." && $0 != ".." })
    else {
      invalid(
        written,
        "expected a name under /run/netns or an absolute path, found \(quoted(text))")
      return nil
    }
    return isPath ? text : "/run/netns/\(text)"
  }
}

/// The key of a pod in the model.
func podUID(_ namespace: String, _ name: String, _ options: CompilerOptions) -> String {
  "\(options.clusterID)//Pod/\(namespace)/\(name)"
}

/// What Kubernetes calls a port's protocol.
let transportProtocols = ["TCP", "UDP", "SCTP"]

extension Schema {
  fileprivate static let podSpec = Schema(
    """
    activeDeadlineSeconds affinity automountServiceAccountToken containers dnsConfig dnsPolicy
    enableServiceLinks ephemeralContainers hostAliases hostIPC hostNetwork hostPID hostUsers
    hostname hostnameOverride imagePullSecrets initContainers nodeName nodeSelector os overhead
    preemptionPolicy priority priorityClassName readinessGates resourceClaims resources
    restartPolicy runtimeClassName schedulerName schedulingGates securityContext serviceAccount
    serviceAccountName setHostnameAsFQDN shareProcessNamespace subdomain
    terminationGracePeriodSeconds tolerations topologySpreadConstraints volumes workloadRef
    """)
  fileprivate static let container = Schema(
    """
    args command env envFrom image imagePullPolicy lifecycle livenessProbe name ports
    readinessProbe resizePolicy resources restartPolicy restartPolicyRules securityContext
    startupProbe stdin stdinOnce terminationMessagePath terminationMessagePolicy tty volumeDevices
    volumeMounts workingDir
    """)
  fileprivate static let containerPort = Schema("containerPort hostIP hostPort name protocol")
  fileprivate static let podStatus = Schema(
    """
    conditions containerStatuses ephemeralContainerStatuses extendedResourceClaimStatus hostIP
    hostIPs initContainerStatuses message nominatedNodeName observedGeneration phase podIP podIPs
    qosClass reason resize resourceClaimStatuses startTime allocatedResources resources
    """)
  fileprivate static let podIP = Schema("ip")
  fileprivate static let condition = Schema(
    "type status lastProbeTime lastTransitionTime message observedGeneration reason")
}
