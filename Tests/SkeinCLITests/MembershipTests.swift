import NodeHarness
import Testing
import TestSupport

@testable import SkeinCLI

extension ScriptedMesh {
  fileprivate func putShop(_ labels: [String: String] = [:]) {
    put("/api/v1/namespaces/shop", ["metadata": ["labels": labels]])
    for (name, node, host) in [("web", "n1", false), ("db", "n2", false), ("host", "n2", true)] {
      put(
        "/api/v1/namespaces/shop/pods/\(name)",
        [
          "spec": ["nodeName": node, "hostNetwork": host],
          "status": [
            "phase": "Running", "podIPs": [["ip": name == "web" ? "10.0.0.7" : "10.0.0.8"]],
          ],
        ])
    }
    put("/api/v1/namespaces/shop/pods/done", ["status": ["phase": "Succeeded"]])
  }

  /// What both agents say of the shop's pods.
  fileprivate func setStates(_ web: String, _ db: String) {
    for (number, name, state) in [(1, "web", web), (2, "db", db)] {
      answer(
        "agent-\(number)", "status pods -o json",
        #"[{"namespace":"shop","name":"\#(name)","state":"\#(state)","reason":"why"}]"#)
    }
  }
}

private let path = "/api/v1/namespaces/shop"

@Suite(.serialized, .fewAtOnce) struct `A namespace` {
  @Test func `is enrolled by its label, and its pods are waited for`() async throws {
    let mesh = ScriptedMesh.healthy()
    mesh.putShop()
    mesh.setStates("notEnrolled", "notEnrolled")
    mesh.onWrite { mesh, _ in mesh.setStates("enrolled", "enrolled") }
    let output = try await mesh.skein("enroll", "shop")
    #expect(
      mesh.writes == [
        "PATCH \(path) {\"metadata\":{\"labels\":{\"istio.io/dataplane-mode\":\"ambient\"}}}"
      ])
    #expect(output.standardError.contains("shop: 2 of 2 pods enrolled"))
    let rows = output.standardOutput.split(separator: "\n")
      .map { $0.split(separator: " ").joined(separator: " ") }
    #expect(rows.contains("shop 2 2 1"), "\(output)")
    #expect(rows.contains("shop/host on n2: notEnrolled, uses the node's network"))
  }

  @Test func `names the pods that are not enrolled in time`() async throws {
    let mesh = ScriptedMesh.healthy()
    mesh.putShop()
    mesh.setStates("enrolled", "failed")
    let output = try await mesh.skein("enroll", "shop", "--timeout", "2s", expecting: 1)
    #expect(output.standardOutput.contains("shop/db on n2: failed, why"), "\(output)")
    #expect(output.standardError.contains("shop: 1 of 2 pods enrolled: db is failed (why)"))
  }

  @Test func `is released by taking the label away`() async throws {
    let mesh = ScriptedMesh.healthy()
    mesh.putShop(["istio.io/dataplane-mode": "ambient"])
    mesh.setStates("enrolled", "enrolled")
    mesh.onWrite { mesh, _ in mesh.setStates("notEnrolled", "notEnrolled") }
    let output = try await mesh.skein("release", "shop", "-o", "json")
    #expect(
      mesh.writes == [
        "PATCH \(path) {\"metadata\":{\"labels\":{\"istio.io/dataplane-mode\":null}}}"
      ])
    let result = try JSON(parsing: output.standardOutput)[0]
    #expect(result["done"].int == 3 && result["waiting"].array.isEmpty)
  }

  @Test func `is not waited for when nobody wants to`() async throws {
    let mesh = ScriptedMesh.healthy()
    mesh.putShop()
    mesh.setStates("closed", "closed")
    _ = try await mesh.skein("enroll", "shop", "--wait=false")
    #expect(mesh.writes.count == 1)
  }

  @Test func `is left alone by a dry run, and by a name that is wrong`() async throws {
    let mesh = ScriptedMesh.healthy()
    mesh.putShop()
    let output = try await mesh.skein("enroll", "shop", "--dry-run")
    #expect(output.standardOutput.contains("nothing was changed"))
    #expect(output.standardOutput.contains("shop/host on n2"))
    let absent = try await mesh.skein("enroll", "shop", "shpo", expecting: 1)
    #expect(absent.standardError.contains("there is no namespace shpo"))
    mesh.put("/api/v1/namespaces/skein-system")
    let own = try await mesh.skein("enroll", "skein-system", expecting: 1)
    #expect(own.standardError.contains("where the mesh itself runs"))
    #expect(mesh.writes.isEmpty)
    _ = try await mesh.skein("enroll", expecting: 2)
  }

  @Test func `has pods that ask for themselves, which stay`() async throws {
    let mesh = ScriptedMesh.healthy()
    mesh.putShop(["istio.io/dataplane-mode": "ambient"])
    mesh.put(
      "/api/v1/namespaces/shop/pods/web",
      [
        "metadata": ["labels": ["istio.io/dataplane-mode": "ambient"]],
        "spec": ["nodeName": "n1"],
        "status": ["phase": "Running", "podIPs": [["ip": "10.0.0.7"]]],
      ])
    mesh.setStates("enrolled", "notEnrolled")
    let output = try await mesh.skein("release", "shop")
    #expect(output.standardOutput.contains("shop/web on n1: enrolled, its own label asks"))
  }
}
