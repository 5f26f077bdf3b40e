import AgentProtocol
import ArgumentParser
import MeshModel
import Testing

@testable import NodeAgent

/// A root, and a list of it that takes one certificate back; both made by openssl.
private enum Sample {
  static let root = """
    -----BEGIN CERTIFICATE-----
    MIIBjzCCATWgAwIBAgIUJ0qJIkbrDKk7PlmLb7plZzp4BQYwCgYIKoZIzj0EAwIw
    FDESMBAGA1UEAwwJYXV0aG9yaXR5MCAXDTI2MTEyMTE3MTIxM1oYDzIxMjYxMDI4
    MTcxMjEzWjAUMRIwEAYDVQQDDAlhdXRob3JpdHkwWTATBgcqhkjOPQIBBggqhkjO
    PQMBBwNCAATpp9l6UX5PZrk6/vGd2oXQH0EsksPsPkdeERYAo2uxTPqZGTtJP8ow
    CXL6LJ9ckI06iWQBk6zxq7y1s+KkYPjio2MwYTAdBgNVHQ4EFgQUVVTpugH3qYJH
    sh4lEeATv2biEncwHwYDVR0jBBgwFoAUVVTpugH3qYJHsh4lEeATv2biEncwDwYD
    VR0TAQH/BAUwAwEB/zAOBgNVHQ8BAf8EBAMCAQYwCgYIKoZIzj0EAwIDSAAwRQIg
    KdBuwfaeHFTcffnXgLPML1FeTfHo0sgyjk5Q7xVC0NwCIQCtn7CH7+MX1HP79dO+
    Yu+iK0Cduc/1PtfVXLEsPWigLw==
    -----END CERTIFICATE-----
    """
  static let list = """
    -----BEGIN X509 CRL-----
    MIGyMFkwCgYIKoZIzj0EAwIwFDESMBAGA1UEAwwJYXV0aG9yaXR5Fw0yNjExMjEx
    NzEyMTNaGA8yMTI2MTAyODE3MTIxM1owFTATAgILrRcNMjUxMTAxMDAwMDAwWjAK
    BggqhkjOPQQDAgNJADBGAiEAt7eIeVasClZwEsKrhqAxVlnTAD7nKhx27ifXOzoD
    HEwCIQD0d+Y4wqyEQFeqGtG69/i1VixyQAtHI1LY8pv1KjIPXg==
    -----END X509 CRL-----
    """
}

@Suite struct `The state of trust` {
  let now = WallTime(secondsSinceEpoch: 1_800_000_000)

  private func state(
    _ settings: TrustSettings = TrustSettings(revocationFile: "crl.pem"),
    lastGood: TrustUpdate? = nil
  ) -> TrustState {
    TrustState(settings, lastGood: lastGood)
  }

  private func bytes(_ text: String) -> TrustState.Reading { .bytes(Array(text.utf8)) }

  private func lists(_ update: TrustUpdate) -> [[UInt8]]? {
    if case .lists(let lists) = update.revocations { return lists }
    return nil
  }

  @Test func `is off only when nobody asked`() {
    let state = state(TrustSettings())
    #expect(state.update(number: 1) == TrustUpdate(number: 1))
    #expect(state.revocationStatus(at: now).state == "off")
  }

  @Test func `an empty file takes nothing back`() {
    var state = state()
    state.readRevocations(bytes(" \n"), authorities: [], at: now)
    #expect(state.update(number: 1).revocations == .lists([]))
    #expect(state.revocationStatus(at: now).state == "enforced")
  }

  @Test func `a list is taken over, with what there is to know of it`() throws {
    var state = state()
    state.readRevocations(bytes(Sample.list), authorities: [], at: now)
    let status = state.revocationStatus(at: now)
    #expect(lists(state.update(number: 1))?.count == 1)
    #expect(status.state == "enforced" && status.lists == 1 && status.entries == 1)
    #expect(status.unknownIssuers == ["CN=authority"])
    #expect(status.lastError == nil && !status.isOutdated)
    let late = WallTime(secondsSinceEpoch: 9_000_000_000)
    #expect(state.revocationStatus(at: late).isOutdated)
    #expect(lists(state.update(number: 1))?.count == 1, "late lists count")
  }

  @Test(arguments: [
    (TrustState.Reading.missing, "no such file"), (.unreadable(reason: "EIO"), "EIO"),
    (.bytes(Array("noise".utf8)), "expected"),
    (.bytes(Array("-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----".utf8)), "list 0"),
    (.bytes(Array(Sample.root.utf8)), "found only CERTIFICATE"),
    (.bytes([UInt8](repeating: 7, count: 5 << 20)), "more than"),
  ])
  func `a bad file is never off: it refuses, or leaves the last good list`(
    reading: TrustState.Reading, mentions: String
  ) {
    var state = state()
    state.readRevocations(reading, authorities: [], at: now)
    guard case .unknown(let reason) = state.update(number: 1).revocations else {
      Issue.record("nobody is refused")
      return
    }
    #expect(reason.hasPrefix("crl.pem: ") && reason.contains(mentions), "\(reason)")
    #expect(state.revocationStatus(at: now).state == "refusing")

    state.readRevocations(bytes(Sample.list), authorities: [], at: now)
    state.readRevocations(reading, authorities: [], at: now)
    #expect(lists(state.update(number: 2))?.count == 1)
    #expect(state.revocationStatus(at: now).state == "last good")
    #expect(state.revocationStatus(at: now).lastError?.contains(mentions) == true)
  }

  @Test func `what an earlier node agent had is the last good one`() {
    var first = state()
    first.readRevocations(bytes(Sample.list), authorities: [], at: now)
    var second = state(lastGood: first.update(number: 0))
    second.readRevocations(.missing, authorities: [], at: now)
    #expect(lists(second.update(number: 1))?.count == 1)
    let status = second.revocationStatus(at: now)
    #expect(status.state == "last good" && status.entries == 1 && status.loadedAt == nil)
    let off = state(TrustSettings(), lastGood: first.update(number: 0))
    #expect(off.update(number: 1).revocations == .off)
  }

  @Test func `a bundle is taken over, kept while its file is bad, and gone with it`() {
    let settings = TrustSettings(bundles: ["b.example": "b.pem"])
    var state = state(settings)
    #expect(state.update(number: 1).bundles == [])
    state.readBundle(of: "b.example", bytes(Sample.root), at: now)
    #expect(state.update(number: 1).bundles.map(\.trustDomain) == ["b.example"])
    #expect(state.update(number: 1).bundles.first?.roots.count == 1)
    state.readBundle(of: "b.example", bytes("noise"), at: now)
    #expect(state.update(number: 2).bundles.count == 1)
    #expect(state.bundleErrors["b.example"]?.contains("expected") == true)
    state.readBundle(of: "b.example", .missing, at: now)
    #expect(state.update(number: 3).bundles == [])
    var kept = self.state(settings, lastGood: nil)
    kept.readBundle(of: "b.example", bytes(Sample.list), at: now)
    #expect(kept.update(number: 1).bundles == [], "a list is no bundle")
  }

  @Test func `a list's signature is checked with the roots of bundles too`() {
    var state = state(
      TrustSettings(revocationFile: "crl.pem", bundles: ["b.example": "b.pem"]))
    state.read(
      ["crl.pem": bytes(Sample.list), "b.pem": bytes(Sample.root)], authorities: [], at: now)
    #expect(state.revocationStatus(at: now).unknownIssuers == [])
    #expect(state.revocationStatus(at: now).state == "enforced")
  }
}

@Suite struct `The options of trust` {
  private func settings(
    _ words: [String], _ variables: [String: String] = [:]
  ) throws -> TrustSettings {
    try TrustOptions.parse(words).settings(
      in: RunEnvironment(variables: variables, hasFile: { _ in false }), own: "cluster.local")
  }

  @Test func `name files, by flags or by the environment`() throws {
    #expect(try settings([]).isEmpty)
    #expect(try settings([], ["CRL_PATH": "/e.pem"]).revocationFile == "/e.pem")
    #expect(
      try settings(["--crl-file", "/f.pem"], ["CRL_PATH": "/e.pem"]).revocationFile == "/f.pem")
    let bundles = try settings(["--trust-bundle", "a=/a.pem", "--trust-bundle", "b=/x=y"]).bundles
    #expect(bundles == ["a": "/a.pem", "b": "/x=y"])
  }

  @Test(arguments: [
    ["noise"], ["=/a.pem"], ["a="], ["a/b=/a.pem"], ["cluster.local=/a.pem"], ["a=/1", "a=/2"],
  ])
  func `make sense`(texts: [String]) {
    #expect(throws: SettingsError.self) {
      try settings(texts.flatMap { ["--trust-bundle", $0] })
    }
  }
}

@Suite struct `The directory of a watched file` {
  @Test func `is what stands before its name`() {
    #expect(FileWatch.directory(of: "/etc/skein/crl.pem") == "/etc/skein")
    #expect(FileWatch.directory(of: "/crl.pem") == "/")
    #expect(FileWatch.directory(of: "crl.pem") == ".")
  }
}
