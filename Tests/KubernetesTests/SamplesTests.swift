import Foundation
import NodeHarness
import Testing

extension `A cluster`.`with Skein installed from its manifests` {
  @Test func `takes the guides' workloads and policies as they are, and enforces who may call`()
    async throws
  {
    let bookinfo = try await Bookinfo(installation)
    try await bookinfo.waitForPage { $0.contains("\"pages\": 200") }
    for version in ["v1", "v2", "v3"] {
      try await bookinfo.waitForPage { $0.contains("\"version\": \"\(version)\"") }
    }
    try await bookinfo.waitForPage { $0.contains("\"Reviewer1\": 5") }
    #expect(try await bookinfo.call("http://httpbin:8000/get").contains("\"GET\""))
    try await installation.with(file: Installation.sample("policies/strict.yaml")) {
      try await eventually("a stranger is refused") {
        try await installation.curl(
          "http://productpage.bookinfo:9080/productpage", in: "outsider", of: "default"
        ).isRefusal
      }
      try await bookinfo.waitForPage { $0.contains("\"pages\": 200") }
    }
    try await bookinfo.expectCallers()
  }

  @Test func `knows a service outside the mesh by a ServiceEntry's name`() async throws {
    let bookinfo = try await Bookinfo(installation)
    let sample = Installation.sample("policies/service-entry.yaml")
    let outsider = try await installation.kubectl(
      "-n", "default", "get", "pod/outsider", "-o", "jsonpath={.status.podIP}")
    try await installation.with(file: sample) {
      try await eventually("its address is the mesh's answer") {
        try await installation.kubectl(
          "-n", "bookinfo", "exec", "deployment/curl", "--", "nslookup",
          "orders.legacy.example", expecting: nil
        ).standardOutput.contains("240.240.0.10")
      }
      let text = try String(contentsOfFile: sample, encoding: .utf8)
      try await installation.apply(
        text.replacing("192.0.2.10", with: outsider.standardOutput))
      try await eventually("its place answers", within: .seconds(60)) {
        try await bookinfo.call("http://orders.legacy.example/index.html") == "outside\n"
      }
    }
  }
}

/// samples/ in a namespace of the mesh.
private struct Bookinfo {
  let installation: Installation

  /// They stay until all tests have ended.
  init(_ installation: Installation) async throws {
    self.installation = installation
    try await installation.apply(
      """
      apiVersion: v1
      kind: Namespace
      metadata: {name: bookinfo, labels: {istio.io/dataplane-mode: ambient}}
      """)
    try await installation.kubectl(
      "-n", "bookinfo", "apply", "--validate=false", "-k", Installation.sample("offline"))
    try await installation.kubectl(
      "-n", "bookinfo", "wait", "--for=condition=Available", "deployment", "--all",
      "--timeout=120s", within: .seconds(130))
  }

  func call(_ url: String, from workload: String = "curl") async throws -> String {
    try await installation.curl(url, in: "deployment/\(workload)", of: "bookinfo")
  }

  /// Asks for the page until it is as it should be.
  func waitForPage(_ isGood: (String) -> Bool) async throws {
    var last = ""
    do {
      try await eventually("the page", within: .seconds(60)) {
        last = try await call("http://productpage:9080/productpage")
        return isGood(last)
      }
    } catch {
      Issue.record("the page was \(last)")
      await installation.describe()
      throw error
    }
  }

  /// Nobody may call, then those whom the policies name.
  func expectCallers() async throws {
    try await installation.with(file: Installation.sample("policies/allow-nothing.yaml")) {
      let rows: [(host: String, client: String)] = [
        ("productpage", "curl"), ("details", "curl"), ("httpbin", "sleep"),
      ]
      for row in rows {
        try await eventually("\(row.client) may not call \(row.host)") {
          try await isRefused(row.host, row.client)
        }
      }
      try await installation.with(file: Installation.sample("policies/callers.yaml")) {
        try await waitForPage { $0.contains("\"pages\": 200") && $0.contains("\"Reviewer2\": 4") }
        let still: [(host: String, client: String)] = [
          ("details", "curl"), ("ratings", "curl"), ("httpbin", "sleep"), ("productpage", "sleep"),
        ]
        for row in still {
          #expect(try await isRefused(row.host, row.client), "\(row.client) calls \(row.host)")
        }
      }
      try await expectExplained()
    }
    try await waitForPage { $0.contains("\"pages\": 200") }
  }

  private func isRefused(_ host: String, _ client: String) async throws -> Bool {
    let port = host == "httpbin" ? 8000 : 9080
    return try await call("http://\(host):\(port)/", from: client).isRefusal
  }

  /// A node says that it was a policy, and which came nearest.
  private func expectExplained() async throws {
    try await eventually("a refusal names what would have let it in") {
      var refusals: [JSON] = []
      for node in Installation.nodes {
        refusals += try await installation.status(on: node, "refusals").array
      }
      return refusals.contains { refusal in
        refusal["sourceIdentity"].string?.hasSuffix("/sa/sleep") == true
          && "\(refusal["nearest"])".contains("productpage-viewer")
      }
    }
  }
}
