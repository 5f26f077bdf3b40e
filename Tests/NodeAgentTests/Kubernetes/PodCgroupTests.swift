import Testing

@testable import NodeAgent

private let uid = "6f1f3b7e-9a0d-4c1e-8b57-0d2f6a7c9e11"
private let slice = "pod6f1f3b7e_9a0d_4c1e_8b57_0d2f6a7c9e11.slice"
private let other = "00000000-0000-4000-8000-000000000000"

@Suite struct `The pod in a process's control groups` {
  struct Row: CustomTestStringConvertible, Sendable {
    var says: String
    var text: String
    var uids: Set<String> = [uid]
    var testDescription: String { says }
  }

  static let found = [
    Row(says: "cgroupfs, guaranteed", text: "0::/kubepods/pod\(uid)/c1"),
    Row(says: "cgroupfs, burstable", text: "0::/kubepods/burstable/pod\(uid)/c1"),
    Row(says: "cgroupfs, best effort", text: "0::/kubepods/besteffort/pod\(uid)/c1/init"),
    Row(says: "the pod's own group", text: "0::/kubepods/besteffort/pod\(uid)"),
    Row(
      says: "systemd, guaranteed",
      text: "0::/kubepods.slice/kubepods-\(slice)/cri-containerd-c1.scope"),
    Row(
      says: "systemd, burstable",
      text: "0::/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-\(slice)/crio-c1.scope"),
    Row(
      says: "systemd, below a slice of kubelet's",
      text: "0::/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-besteffort.slice/"
        + "kubelet-kubepods-besteffort-\(slice)/cri-containerd-c1.scope"),
    Row(says: "below a group of kubelet's", text: "0::/kubelet/kubepods/burstable/pod\(uid)/c1"),
    Row(
      says: "a node that is a container itself",
      text: "0::/docker/4f2e/kubelet/kubepods/burstable/pod\(uid)/c1"),
    Row(
      says: "version 1",
      text: """
        12:cpu,cpuacct:/kubepods/burstable/pod\(uid)/c1
        4:memory:/kubepods/burstable/pod\(uid)/c1
        1:name=systemd:/kubepods/burstable/pod\(uid)/c1
        """),
    Row(
      says: "both versions, one not used",
      text: "9:name=systemd:/kubepods/pod\(uid)/c1\n8:pids:/\n0::/\n"),
    Row(says: "seen from another pod of its class", text: "0::/../../pod\(uid)/c1"),
    Row(says: "seen from another class", text: "0::/../../../burstable/pod\(uid)/c1"),
    Row(says: "seen from another pod, systemd", text: "0::/../../kubepods-burstable-\(slice)/c1"),
    Row(
      says: "seen from another class, systemd",
      text: "0::/../../../kubepods-besteffort.slice/kubepods-besteffort-\(slice)/c1"),
    Row(says: "seen from a service", text: "0::/../../kubepods/burstable/pod\(uid)/c1"),
    Row(
      says: "a container that makes groups of another pod's name below its own",
      text: "0::/kubepods/burstable/pod\(uid)/c1/kubepods/burstable/pod\(other)/c1"),
    Row(
      says: "hierarchies that disagree",
      text: "4:memory:/kubepods/pod\(uid)/c1\n3:cpu:/kubepods/pod\(other)/c1", uids: [uid, other]),
  ]

  @Test(arguments: found) func `is found by`(row: Row) {
    #expect(PodCgroup.uids(in: row.text) == row.uids)
  }

  static let nobody = [
    Row(says: "nothing", text: ""),
    Row(says: "the root", text: "0::/"),
    Row(says: "a service", text: "0::/system.slice/ssh.service"),
    Row(says: "kubelet's own directory", text: "0::/kubepods/burstable"),
    Row(says: "a group of the name elsewhere", text: "0::/pod\(uid)/c1"),
    Row(says: "a slice of the name elsewhere", text: "0::/machine.slice/machine-\(slice)/c1"),
    Row(
      says: "a user's group that looks like kubelet's",
      text: "0::/user.slice/user-1000.slice/user@1000.service/kubepods/burstable/pod\(uid)/c1"),
    Row(
      says: "a user's group that looks like kubelet's, from elsewhere",
      text: "0::/../../user.slice/user-1000.slice/kubepods/pod\(uid)"),
    Row(says: "a container of our own pod, seen from it", text: "0::/../c2"),
    Row(says: "steps between", text: "0::/kubepods/burstable/other/pod\(uid)"),
    Row(says: "no uid", text: "0::/kubepods/burstable/pod/c1"),
    Row(says: "a uid with a dot", text: "0::/kubepods/burstable/poda.b/c1"),
    Row(says: "a uid beyond 63", text: "0::/kubepods/pod" + String(repeating: "a", count: 64)),
    Row(says: "lines that are none", text: "0::\n::\nkubepods/pod\(uid)\n/kubepods/pod\(uid)"),
  ]

  @Test(arguments: nobody) func `is nobody's for`(row: Row) {
    #expect(PodCgroup.uids(in: row.text) == [])
  }
}
