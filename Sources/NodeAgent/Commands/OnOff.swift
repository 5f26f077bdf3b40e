import ArgumentParser

/// A switch of the command line.
enum OnOff: String, ExpressibleByArgument, CaseIterable {
  case on, off
}

extension RunEnvironment {
  /// On unless somebody says anything but `true`, as in ztunnel.
  var dnsCapture: Bool { (self["ISTIO_META_DNS_CAPTURE"] ?? "true") == "true" }
}
