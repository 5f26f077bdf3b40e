import FoundationEssentials
import Yams

extension ClusterConfiguration {
  /// A context of a kubeconfig file; by default its current one.
  ///
  /// Programs that give credentials and servers that are not verified are refused by the name of
  /// their field: neither fits a process that serves a whole mesh.
  public static func kubeconfig(
    _ path: String, context: String? = nil
  ) throws(KubernetesError) -> ClusterConfiguration {
    try Kubeconfig(path).configuration(of: context).configuration
  }

  /// The same for a person's command, which asks the context's program for credentials if there is
  /// one, and waits for it.
  public static func kubeconfig(
    _ path: String, context: String? = nil, askingProgramsIn environment: [String: String]
  ) throws(KubernetesError) -> ClusterConfiguration {
    var file = try Kubeconfig(path)
    file.mayAskPrograms = true
    var (configuration, program) = try file.configuration(of: context)
    if let program {
      configuration.credentials = try program.run(for: configuration, environment: environment)
    }
    return configuration
  }
}

/// A kubeconfig while it is read.
private struct Kubeconfig {
  let path: String
  let root: Node.Mapping
  var mayAskPrograms = false

  init(_ path: String) throws(KubernetesError) {
    self.path = path
    let bytes = try readFile(path, atMost: Limit.configurationBytes)
    let node: Node?
    do {
      node = try compose(yaml: String(decoding: bytes, as: UTF8.self))
    } catch {
      throw .configuration(path: path, field: "YAML", reason: "\(error)")
    }
    guard let mapping = node?.mapping else {
      throw .configuration(path: path, field: "YAML", reason: "expected a kubeconfig")
    }
    root = mapping
  }

  func configuration(
    of context: String?
  ) throws(KubernetesError) -> (configuration: ClusterConfiguration, CredentialProgram?) {
    let name = context ?? root["current-context"]?.string
    let current = try required(name, "current-context")
    let (context, contextPath) = try named(current, in: "contexts", holding: "context")
    let (cluster, clusterPath) = try named(
      try required(context["cluster"]?.string, "\(contextPath).cluster"),
      in: "clusters", holding: "cluster")
    let (user, userPath) = try named(
      try required(context["user"]?.string, "\(contextPath).user"), in: "users", holding: "user")
    let server = try required(cluster["server"]?.string, "\(clusterPath).server")
    guard server.hasPrefix("https://") else {
      throw wrong("\(clusterPath).server", "expected an https URL, found \(server)")
    }
    try refuse(
      cluster, clusterPath,
      ["insecure-skip-tls-verify", "proxy-url", "tls-server-name"],
      "not supported; the server is verified by the name or address in server")
    guard let authority = try bytes(cluster, "certificate-authority", clusterPath) else {
      throw wrong(
        "\(clusterPath).certificate-authority-data",
        "expected the roots of the server's certificate"
      )
    }
    let hasText = cluster["certificate-authority-data"] != nil
    let credentials = try credentials(user, userPath)
    let program = credentials == .none ? try program(user, userPath) : nil
    let configuration = ClusterConfiguration(
      server: server.hasSuffix("/") ? String(server.dropLast()) : server, authority: authority,
      authorityFile: hasText ? nil : cluster["certificate-authority"]?.string.map(beside),
      credentials: credentials, namespace: context["namespace"]?.string ?? "")
    return (configuration, program)
  }

  /// The program that says who the user is, where nothing else does.
  private func program(
    _ user: Node.Mapping, _ place: String
  ) throws(KubernetesError) -> CredentialProgram? {
    guard let node = user["exec"], node.null == nil else { return nil }
    guard mayAskPrograms else {
      throw wrong(
        "\(place).exec",
        "a program that gives credentials fits a person's command, not a process that serves a mesh; "
          + "give a token, a tokenFile, or a client certificate")
    }
    let place = "\(place).exec"
    guard let exec = node.mapping else { throw wrong(place, "expected a mapping") }
    let version = try required(exec["apiVersion"]?.string, "\(place).apiVersion")
    guard CredentialProgram.versions.contains(version) else {
      throw wrong(
        "\(place).apiVersion",
        "expected \(CredentialProgram.versions.joined(separator: " or ")), found \(version)")
    }
    guard exec["interactiveMode"]?.string != "Always" else {
      throw wrong(
        "\(place).interactiveMode",
        "a program that asks at the terminal is not supported; give a token or a client certificate"
      )
    }
    let command = try required(exec["command"]?.string, "\(place).command")
    return CredentialProgram(
      command: command.contains("/") ? beside(command) : command,
      arguments: try texts(exec["args"], "\(place).args"),
      environment: try variables(exec["env"], "\(place).env"), version: version,
      knowsCluster: exec["provideClusterInfo"]?.bool == true,
      installHint: exec["installHint"]?.string ?? "")
  }

  private func texts(_ node: Node?, _ place: String) throws(KubernetesError) -> [String] {
    guard let node, node.null == nil else { return [] }
    guard let items = node.sequence else { throw wrong(place, "expected a list") }
    var texts: [String] = []
    for (index, item) in items.enumerated() {
      guard let text = item.string else { throw wrong("\(place)[\(index)]", "expected a text") }
      texts.append(text)
    }
    return texts
  }

  private func variables(_ node: Node?, _ place: String) throws(KubernetesError) -> [String: String]
  {
    guard let node, node.null == nil else { return [:] }
    guard let items = node.sequence else { throw wrong(place, "expected a list") }
    var variables: [String: String] = [:]
    for (index, item) in items.enumerated() {
      let name = try required(item.mapping?["name"]?.string, "\(place)[\(index)].name")
      guard let value = item.mapping?["value"]?.string else {
        throw wrong("\(place)[\(index)].value", "expected a text")
      }
      variables[name] = value
    }
    return variables
  }

  private func credentials(
    _ user: Node.Mapping, _ place: String
  ) throws(KubernetesError) -> ClusterConfiguration.Credentials {
    try refuse(
      user, place, ["auth-provider", "username", "password", "as", "as-uid", "as-groups"],
      "not supported; give a token, a tokenFile, or a client certificate")
    if let file = user["tokenFile"]?.string { return .tokenFile(beside(file)) }
    if let token = user["token"]?.string { return .token(token) }
    guard let chain = try bytes(user, "client-certificate", place) else {
      guard user["client-key"] == nil, user["client-key-data"] == nil else {
        throw wrong("\(place).client-certificate-data", "expected the certificate of the key")
      }
      return .none
    }
    guard let key = try bytes(user, "client-key", place) else {
      throw wrong("\(place).client-key-data", "expected the key of the client certificate")
    }
    return .certificate(chain: chain, key: key)
  }

  /// The entry called `name` in one of the file's lists.
  private func named(
    _ name: String, in list: String, holding key: String
  ) throws(KubernetesError) -> (Node.Mapping, path: String) {
    let items = root[Node(list)]?.sequence.map { Array($0) } ?? []
    for (index, item) in items.enumerated() {
      guard let mapping = item.mapping, mapping["name"]?.string == name else { continue }
      let place = "\(list)[\(index)].\(key)"
      return (mapping[Node(key)]?.mapping ?? Node.Mapping([]), place)
    }
    throw wrong(list, "expected one called \(name)")
  }

  /// What stands in `key-data` in base 64, or in the file that `key` names.
  private func bytes(
    _ mapping: Node.Mapping, _ key: String, _ place: String
  ) throws(KubernetesError) -> [UInt8]? {
    if let text = mapping[Node("\(key)-data")]?.string {
      guard let data = Data(base64Encoded: text) else {
        throw wrong("\(place).\(key)-data", "expected base 64")
      }
      return Array(data)
    }
    guard let file = mapping[Node(key)]?.string else { return nil }
    return try readFile(beside(file), atMost: Limit.configurationBytes)
  }

  /// A path is taken relative to the file it stands in.
  private func beside(_ file: String) -> String {
    guard !file.hasPrefix("/"), let slash = path.lastIndex(of: "/") else { return file }
    return path[...slash] + file
  }

  private func refuse(
    _ mapping: Node.Mapping, _ place: String, _ keys: [String], _ reason: String
  ) throws(KubernetesError) {
    for key in keys {
      guard let node = mapping[Node(key)], node.string != "false", node.string != "" else {
        continue
      }
      throw wrong("\(place).\(key)", reason)
    }
  }

  private func required(_ text: String?, _ field: String) throws(KubernetesError) -> String {
    guard let text, !text.isEmpty else { throw wrong(field, "expected a value") }
    return text
  }

  private func wrong(_ field: String, _ reason: String) -> KubernetesError {
    .configuration(path: path, field: field, reason: reason)
  }
}
