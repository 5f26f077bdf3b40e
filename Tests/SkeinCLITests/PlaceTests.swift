import Commands
import Foundation
import KubernetesHarness
import NodeHarness
import Testing
import TestSupport

@testable import SkeinCLI

@Suite(.fewAtOnce) struct `The cluster of a command` {
  struct Row: Sendable {
    var flag: String?
    var environment: [String: String]
    var place: KubeconfigPlace
  }

  @Test(arguments: [
    Row(flag: "f", environment: ["KUBECONFIG": "a"], place: .file("f")),
    Row(environment: ["KUBECONFIG": "a:there:b"], place: .file("there")),
    Row(environment: ["KUBECONFIG": "a:b"], place: .file("a")),
    Row(environment: ["KUBECONFIG": "", "HOME": "/h"], place: .file("/h/.kube/config")),
    Row(
      environment: ["HOME": "/h", "KUBERNETES_SERVICE_HOST": "10.0.0.1"], place: .ownPod),
    Row(
      environment: ["HOME": "/home", "KUBERNETES_SERVICE_HOST": "10.0.0.1"],
      place: .file("/home/.kube/config")),
  ])
  func `is found as kubectl finds it`(row: Row) {
    let found = KubeconfigPlace.found(flag: row.flag, row.environment) {
      ["there", "/home/.kube/config"].contains($0)
    }
    #expect(found == row.place)
  }

  @Test(arguments: [
    ("/usr/bin/skein", "skein"), ("kubectl-skein", "kubectl skein"), ("", "skein"),
    ("./.build/debug/SkeinCLI", "skein"),
  ])
  func `is asked under the name the program was called by`(path: String, name: String) {
    #expect(Program.commandName(ofPath: path) == name)
  }

  @Test(
    arguments: [
      (ColourChoice.auto, true, nil, true), (.auto, false, nil, false), (.auto, true, "1", false),
      (.auto, true, "", true), (.always, false, "1", true), (.never, true, nil, false),
    ] as [(ColourChoice, Bool, String?, Bool)])
  func `is coloured only for eyes that want it`(
    choice: ColourChoice, isTerminal: Bool, noColor: String?, shown: Bool
  ) {
    #expect(choice.shows(onTerminal: isTerminal, noColor: noColor) == shown)
  }
}
