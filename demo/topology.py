#!/usr/bin/env python3
"""Nodes and pods as network namespaces of one machine.

    pod netns  eth0 --- podN  node netns  under0 --- under0  node netns  podN --- eth0  pod netns

Each node routes to its pods, IPv4 and IPv6, as the usual CNI plugins do: the pod owns one address
per family, its default route goes to the node, the node has one host route per pod. Nothing is
made in the caller's own network namespace.

With prefix `p-`, node number 1 named `a` is the namespace `p-a`:

    underlay   10.90.0.1      fd90::1
    node       10.91.1.1      fd91:1::1      source of what the node itself sends to its pods
    pods       10.91.1.10 …   fd91:1::10 …   the namespace `p-<pod>`

As a module: `Topology("p-", ["a", "b"])`. As a program, for tests and benchmarks:

    topology.py up   --prefix p- --nodes a,b --pods web:a,shop:b     prints what it made, as JSON
    topology.py down --prefix p-
"""

from __future__ import annotations

import argparse
import dataclasses
import ipaddress
import json
import os
import subprocess
import sys

FIRST_POD = 10
NAMESPACES = "/run/netns"

# A fresh namespace takes its settings from the machine; these make the answer the same everywhere.
SETTINGS = [
    "net.ipv4.ip_forward=1",
    "net.ipv6.conf.all.disable_ipv6=0",
    "net.ipv6.conf.default.disable_ipv6=0",
    "net.ipv6.conf.all.forwarding=1",
    # Duplicate address detection would hold every new address back for a second.
    "net.ipv6.conf.all.accept_dad=0",
    "net.ipv6.conf.default.accept_dad=0",
]


@dataclasses.dataclass(frozen=True)
class Node:
    name: str
    number: int
    netns: str
    underlay4: str
    underlay6: str
    ip4: str
    ip6: str


@dataclasses.dataclass(frozen=True)
class Pod:
    name: str
    node: str
    netns: str
    ip4: str
    ip6: str


class TopologyError(Exception):
    pass


def inside(netns: str, *command: str) -> list[str]:
    """A command line that runs in a namespace.

    Not `ip netns exec`: that mounts a new /sys, which hides bpffs and the cgroups.
    """
    return ["nsenter", f"--net={NAMESPACES}/{netns}", *command]


class Topology:
    def __init__(self, prefix: str, nodes: list[str]) -> None:
        self.prefix = prefix
        self.nodes = {name: self._node(name, number) for number, name in enumerate(nodes, start=1)}
        self.pods: dict[str, Pod] = {}

    def up(self) -> None:
        """Makes the nodes and connects each with each; two nodes share one cable."""
        for node in self.nodes.values():
            self._make_namespace(node.netns)
            _ip(
                node.netns,
                "link set lo up",
                f"addr add {node.ip4}/32 dev lo",
                f"addr add {node.ip6}/128 dev lo",
            )
        nodes = list(self.nodes.values())
        if len(nodes) == 2:
            self._cable(*nodes)
        elif len(nodes) > 2:
            raise TopologyError("the underlay is one cable: at most two nodes")

    def add_pod(self, name: str, node_name: str) -> Pod:
        node = self.nodes[node_name]
        host = FIRST_POD + sum(pod.node == node_name for pod in self.pods.values())
        pod = Pod(
            name=name,
            node=node_name,
            netns=self.prefix + name,
            ip4=f"10.91.{node.number}.{host}",
            ip6=f"fd91:{node.number}::{host}",
        )
        self._make_namespace(pod.netns)
        port = f"pod{host}"
        _ip(None, f"link add {port} netns {node.netns} type veth peer name eth0 netns {pod.netns}")
        _ip(
            node.netns,
            f"link set {port} up",
            f"addr add fe80::1/64 dev {port} nodad",
            f"route add {pod.ip4}/32 dev {port} src {node.ip4}",
            f"route add {pod.ip6}/128 dev {port} src {node.ip6}",
        )
        _ip(
            pod.netns,
            "link set lo up",
            "link set eth0 up",
            f"addr add {pod.ip4}/32 dev eth0",
            f"addr add {pod.ip6}/128 dev eth0 nodad",
            f"route add {node.ip4}/32 dev eth0 scope link",
            f"route add default via {node.ip4} dev eth0",
            "route add default via fe80::1 dev eth0",
        )
        self.pods[name] = pod
        return pod

    def remove_pod(self, name: str) -> None:
        """Deletes the pod's namespace; its cable and the node's routes go with it."""
        pod = self.pods.pop(name)
        _run(["ip", "netns", "del", pod.netns])

    def down(self) -> None:
        """Deletes every namespace with this prefix, also those of an earlier run."""
        for netns in namespaces(self.prefix):
            _run(["ip", "netns", "del", netns])

    def _node(self, name: str, number: int) -> Node:
        return Node(
            name=name,
            number=number,
            netns=self.prefix + name,
            underlay4=f"10.90.0.{number}",
            underlay6=f"fd90::{number}",
            ip4=f"10.91.{number}.1",
            ip6=f"fd91:{number}::1",
        )

    def _make_namespace(self, netns: str) -> None:
        _run(["ip", "netns", "add", netns])
        _run(inside(netns, "sysctl", "-qw", *SETTINGS))

    def _cable(self, a: Node, b: Node) -> None:
        _ip(None, f"link add under0 netns {a.netns} type veth peer name under0 netns {b.netns}")
        for node in (a, b):
            _ip(
                node.netns,
                "link set under0 up",
                f"addr add {node.underlay4}/24 dev under0",
                f"addr add {node.underlay6}/64 dev under0 nodad",
            )
        for node, other in ((a, b), (b, a)):
            _ip(
                node.netns,
                f"route add 10.91.{other.number}.0/24 via {other.underlay4}",
                f"route add fd91:{other.number}::/64 via {other.underlay6}",
            )


def namespaces(prefix: str) -> list[str]:
    if not prefix or not os.path.isdir(NAMESPACES):
        return []
    return sorted(name for name in os.listdir(NAMESPACES) if name.startswith(prefix))


def _ip(netns: str | None, *commands: str) -> None:
    """Runs `ip` commands in a namespace, one process for all of them."""
    where = ["-n", netns] if netns else []
    lines = []
    for command in commands:
        # The family of a default route is seen from its gateway only.
        words = [word.split("/")[0] for word in command.split()]
        lines.append(f"-6 {command}" if any(map(_is_ipv6, words)) else command)
    for six in (False, True):
        batch = [line.removeprefix("-6 ") for line in lines if line.startswith("-6 ") == six]
        if batch:
            _run(["ip", *where, *(["-6"] if six else []), "-batch", "-"], "\n".join(batch) + "\n")


def _is_ipv6(word: str) -> bool:
    try:
        return ipaddress.ip_address(word).version == 6
    except ValueError:
        return False


def _run(command: list[str], standard_input: str = "") -> None:
    result = subprocess.run(command, input=standard_input, capture_output=True, text=True)
    if result.returncode != 0:
        said = (result.stderr or result.stdout).strip()
        raise TopologyError(f"{' '.join(command)}: {said}\n{standard_input}".strip())


def main() -> int:
    parser = argparse.ArgumentParser(description="Nodes and pods as network namespaces.")
    parser.add_argument("action", choices=["up", "down"])
    parser.add_argument("--prefix", required=True, help="how every namespace's name begins")
    parser.add_argument("--nodes", default="a,b", help="names, comma-separated")
    parser.add_argument("--pods", default="", help="NAME:NODE, comma-separated")
    arguments = parser.parse_args()
    topology = Topology(arguments.prefix, arguments.nodes.split(","))
    try:
        if arguments.action == "down":
            topology.down()
            return 0
        topology.up()
        for pod in filter(None, arguments.pods.split(",")):
            topology.add_pod(*pod.split(":"))
    except TopologyError as error:
        print(f"topology: {error}", file=sys.stderr)
        return 1
    made = {
        kind: {key: dataclasses.asdict(value) for key, value in values.items()}
        for kind, values in (("nodes", topology.nodes), ("pods", topology.pods))
    }
    print(json.dumps(made, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
