import AgentProtocol
import Commands
import Linux
import MeshModel
import Redirect
import Telemetry

extension Node {
  /// The report, with what only the given section needs, or everything.
  func status(section: StatusSection?) async -> StatusReport {
    let isWhole = section == nil
    async let summary = inspector.ask(.summary)
    async let certificateRecords = inspector.ask(.certificates)
    async let connections = isWhole || section == .connections ? inspector.ask(.connections) : nil
    async let tunnels = isWhole || section == .tunnels ? inspector.ask(.tunnels) : nil
    let pods = await enroller.status()
    let titles = await enroller.titles
    var model = await model.status
    await manifests.complete(&model)
    let controlPlane = await discovery?.status
    let cluster = await cluster?.status
    let ztunnel = await ztunnelStatus(summary: summary)
    var certificates: [CertificateStatus] = []
    if case .certificates(let records)? = await certificateRecords {
      certificates = records.map(CertificateStatus.init).sorted { $0.identity < $1.identity }
    }
    let cni = await cni?.status
    let problems =
      (cni?.problems ?? [])
      + healthProblems(
        ztunnel: ztunnel, model: model, pods: pods, certificates: certificates,
        authority: await issuer.problem, controlPlane: controlPlane, cluster: cluster,
        trust: await trust.problems, prober: await enroller.proberProblem, now: WallClock.now())
    var report = StatusReport(
      node: nodeStatus(problems: problems), redirect: await redirectStatus(), ztunnel: ztunnel,
      model: model)
    report.controlPlane = controlPlane
    report.cluster = cluster
    report.cni = cni
    report.signing = await signingStatus(certificates)
    report.trust = await trust.status
    report.pods = pods
    report.certificates = certificates
    if case .connections(let records)? = await connections {
      report.connections = records.map { record in
        ConnectionStatus(record) { titles[$0] ?? $0 }
      }.sorted { $0.id < $1.id }
    }
    if case .tunnels(let records)? = await tunnels {
      report.tunnels = records.map { record in TunnelStatus(record) { titles[$0] ?? $0 } }
    }
    if isWhole || section == .refusals {
      report.refusals = await records.refusals.map(RefusalStatus.init)
    }
    return report
  }

  private func nodeStatus(problems: [String]) -> NodeStatus {
    let uptime = WallClock.now().secondsSinceEpoch - startedAt.secondsSinceEpoch
    return NodeStatus(
      name: settings.node, version: skeinVersion, trustDomain: settings.trustDomain,
      clusterDomain: settings.clusterDomain, processID: CurrentProcess.id,
      startedAt: startedAt.timestamp, uptimeSeconds: max(uptime, 0),
      configDirectory: settings.configDirectory ?? "", stateDirectory: settings.stateDirectory,
      isDraining: isDraining, isHealthy: problems.isEmpty, problems: problems)
  }

  private func signingStatus(_ certificates: [CertificateStatus]) async -> SigningStatus {
    let retries = Dictionary(
      certificates.map { ($0.identity, $0.renewal) }, uniquingKeysWith: { first, _ in first })
    let failures = await issuer.failures.map { identity, failure in
      SigningFailureStatus(
        identity: identity.description, reason: failure.reason, at: failure.at.timestamp,
        times: failure.times, nextTryAt: retries[identity.description])
    }
    return SigningStatus(
      authority: issuer.authority, waiting: await issuer.waitingCount,
      underWay: await issuer.underWayCount, issued: await issuer.issued,
      refused: await issuer.refused, failures: failures.sorted { $0.identity < $1.identity })
  }

  private func redirectStatus() async -> RedirectStatus {
    let version = RedirectConstants.abiVersion
    let probeCgroup: String? =
      if case .cgroup(let path)? = settings.prober {
        path
      } else {
        await enroller.prober?.cgroup.path
      }
    return RedirectStatus(
      attachment: attachment.rawValue,
      pinDirectory:
        "\(RedirectConstants.bpfFileSystem)/skein/v\(version)/\(settings.node)",
      enrolledPods: await enroller.redirectedCount,
      isProbeBypassActive: probeCgroup != nil, probeCgroup: probeCgroup)
  }

  private func ztunnelStatus(summary: Inspection?) async -> ZTunnelStatus {
    let process = await ztunnel.status
    var status = ZTunnelStatus(
      state: process.state.rawValue, processID: process.processID,
      cgroup: process.cgroup?.path ?? "", isConnected: link.peerProcessID != nil,
      isAdopted: process.isAdopted, restarts: process.restarts, lastExit: process.lastExit)
    if case .summary(let summary)? = summary {
      status.generation = summary.generation
      status.threads = summary.threads
      status.pods = summary.pods
      status.liveConnections = summary.liveConnections
      status.tunnelConnections = summary.tunnelConnections
      status.residentBytes = summary.residentBytes
      status.openDescriptors = summary.openDescriptors
    }
    return status
  }

  /// Everything for Prometheus, as of now.
  func metricsText() async -> String {
    async let samples = inspector.ask(.metrics)
    async let summary = inspector.ask(.summary)
    var model = await model.status
    await manifests.complete(&model)
    var metrics = NodeMetrics()
    metrics.discovery = await discovery?.metrics
    metrics.certificatesWaiting = await issuer.waitingCount + issuer.underWayCount
    metrics.certificatesFailing = await issuer.failures.count
    metrics.podsByState = await enroller.countsByState
    metrics.generation = model.generation
    metrics.enforcedGeneration = model.enforcedGeneration
    metrics.enforcement = await self.model.enforcement
    metrics.ztunnelRestarts = await ztunnel.status.restarts
    metrics.isZTunnelConnected = link.peerProcessID != nil
    metrics.canariesPassed = await enroller.canariesPassed
    metrics.canaryFailures = await enroller.canaryFailures
    metrics.connections = await enroller.livingConnections
    metrics.refusals = await records.refusalCount
    metrics.certificatesIssued = await issuer.issued
    metrics.certificatesRefused = await issuer.refused
    metrics.manifestErrors = model.errors
    metrics.labelSetOverflows = await records.labelSetOverflows
    metrics.cni = await cni?.status
    if case .summary(let summary)? = await summary { metrics.ztunnel = summary }
    var text = PrometheusText()
    metrics.write(to: &text, version: skeinVersion)
    if case .metrics(let samples)? = await samples {
      await records.connectionMetrics(samples, index: self.model.index).write(to: &text)
    }
    if case .dns(let samples)? = await inspector.ask(.dns) {
      await DNSMetrics(samples, index: self.model.index).write(to: &text)
    }
    return text.text
  }
}
