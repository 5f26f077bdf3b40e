import Commands
import KubernetesClient
import Manifests
import MeshCompiler

/// What is asked of an installation.
struct InstallationSettings: Hashable, Sendable {
  var namespace = "skein-system"
  /// Where the nodes have the programs from.
  var image: String
  var choices = InstallationChoices()

  var profile: Profile { choices.profile ?? .default }
  fileprivate var replicas: Int { choices.replicas ?? (profile == .default ? 2 : 1) }
  fileprivate var injects: Bool { choices.enrollInjectionLabel ?? (profile == .demo) }
}

/// The objects of an installation, in the order in which they are made.
struct InstallationPlan: Hashable, Sendable {
  var objects: [ManifestValue]
  /// Objects of other profiles, which go when they are there.
  var unwanted: [ManifestValue]

  init(_ settings: InstallationSettings) {
    let all = Self.written(for: settings.namespace)
    // Of one replica a budget of one unavailable says nothing.
    let isUnwanted = { (object: ManifestValue) in
      settings.replicas == 1 && object["kind"]?.text == "PodDisruptionBudget"
    }
    unwanted = all.filter(isUnwanted)
    objects = all.filter { !isUnwanted($0) }.map { object in
      switch object["kind"]?.text {
      case "Deployment": settings.controlPlane(object)
      case "DaemonSet": settings.nodeAgent(object)
      default: object
      }
    }
  }

  /// As `manifests/` has them, in another namespace where that is wanted.
  static func written(for namespace: String) -> [ManifestValue] {
    installationManifests.flatMap { file, text in
      let own = text.replacing("skein-system", with: namespace)
      let read = ManifestText(Array(own.utf8), file: file)
      precondition(read.diagnostics.isEmpty, "\(read.diagnostics)")
      return read.objects.map(\.root)
    }
  }
}

extension InstallationSettings {
  fileprivate func controlPlane(_ object: ManifestValue) -> ManifestValue {
    object.editing(["spec", "replicas"]) { _ in .whole(Int64(replicas)) }
      .editingContainers { container in
        container.with("image", .text(image))
          .settingArgument("--trust-domain", to: choices.trustDomain)
          .settingFlag("--enroll-injection-label", to: injects)
      }
  }

  fileprivate func nodeAgent(_ object: ManifestValue) -> ManifestValue {
    let edited = object.annotated(with: choices).editingContainers { container in
      let container = container.with("image", .text(image))
      guard container["name"]?.text == "node-agent" else { return container }
      return container.settingArgument("--trust-domain", to: choices.trustDomain)
        .settingArgument("--probe-process", to: choices.probeProcess)
        .settingFlag("--enroll-injection-label", to: injects)
    }
    guard profile != .minimal else { return edited.withoutPlugin }
    return edited.placing("cni-networks", at: choices.cniConfDir, argument: "--cni-conf-dir")
      .placing("cni-plugins", at: choices.cniBinDir, argument: "--cni-bin-dir")
  }
}

extension ManifestValue {
  /// The same with the value at a path changed; one that is not there stays away.
  func editing(_ path: [String], _ edit: (ManifestValue) -> ManifestValue) -> ManifestValue {
    guard let key = path.first else { return edit(self) }
    guard let inner = self[key] else { return self }
    return with(key, inner.editing(Array(path.dropFirst()), edit))
  }

  fileprivate func annotated(with choices: InstallationChoices) -> ManifestValue {
    guard let text = choices.text else { return self }
    return editing(["metadata"]) {
      let others = $0["annotations"] ?? [:]
      return $0.with("annotations", others.with(InstallationChoices.annotation, .text(text)))
    }
  }

  fileprivate static var podSpec: [String] { ["spec", "template", "spec"] }

  fileprivate func editingContainers(
    _ edit: (ManifestValue) -> ManifestValue
  ) -> ManifestValue {
    editing(Self.podSpec + ["containers"]) { .list($0.items.map(edit)) }
  }

  /// `--name=value` among the arguments; nil leaves them as they are.
  fileprivate func settingArgument(_ name: String, to value: String?) -> ManifestValue {
    guard let value else { return self }
    return editing(["args"]) { arguments in
      let others = arguments.items.filter { $0.text?.hasPrefix("\(name)=") != true }
      return .list(others + [.text("\(name)=\(value)")])
    }
  }

  fileprivate func settingFlag(_ name: String, to isSet: Bool) -> ManifestValue {
    guard isSet else { return self }
    return editing(["args"]) { .list($0.items + [.text(name)]) }
  }

  /// A folder of the node in another place than the manifests say.
  fileprivate func placing(
    _ volume: String, at path: String?, argument: String
  ) -> ManifestValue {
    guard let path else { return self }
    let isVolume = { (value: ManifestValue) in value["name"]?.text == volume }
    return editing(Self.podSpec + ["volumes"]) { volumes in
      .list(
        volumes.items.map {
          isVolume($0) ? $0.editing(["hostPath", "path"]) { _ in .text(path) } : $0
        })
    }.editingContainers { container in
      guard container["volumeMounts"]?.items.contains(where: isVolume) == true else {
        return container
      }
      return container.settingArgument(argument, to: path).editing(["volumeMounts"]) { mounts in
        .list(mounts.items.map { isVolume($0) ? $0.with("mountPath", .text(path)) : $0 })
      }
    }
  }

  /// Without the plugin, its folders and what names them.
  fileprivate var withoutPlugin: ManifestValue {
    let isPlugin = { (value: ManifestValue) in
      value["name"]?.text?.hasPrefix("cni-") == true || value.text?.hasPrefix("--cni-") == true
    }
    let without = { (list: ManifestValue) in ManifestValue.list(list.items.filter { !isPlugin($0) })
    }
    return editing(Self.podSpec + ["volumes"], without).editingContainers {
      $0.editing(["args"], without).editing(["volumeMounts"], without)
    }
  }
}
