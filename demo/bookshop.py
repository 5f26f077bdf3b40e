"""The six pods and four services of manifests/, and asking them for pages."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from claims import Untrue, expect
from mesh import Processes
from topology import Topology, inside

PROGRAMS = Path(__file__).resolve().parent / "programs"
SERVICE_PORT = 9080

# Pods by name and node, in the order that gives them the addresses of manifests/20-pods.yaml.
PODS = [
    ("productpage-v1", "a"),
    ("reviews-v1", "a"),
    ("details-v1", "b"),
    ("reviews-v2", "b"),
    ("reviews-v3", "b"),
    ("ratings-v1", "b"),
]
SERVICES = {"productpage": 1, "details": 2, "reviews": 3, "ratings": 4}
# What the plaintext control dials, since nothing resolves a virtual address before enrolment.
CONTROL_PODS = {"details": "details-v1", "reviews": "reviews-v2", "ratings": "ratings-v1"}


class Bookshop:
    """The pods' programs, and what a reader in front of productpage sees."""

    def __init__(self, topology: Topology, token: str, marker: str) -> None:
        self.topology = topology
        self.token = token
        self.marker = marker

    def open(self, directory: Path, processes: Processes) -> None:
        """Makes the pods and starts a server in each; the manifests must name their addresses."""
        for name, node in PODS:
            self.topology.add_pod(name, node)
        self._check_addresses(directory / "manifests")
        table = directory / "directory.json"
        table.write_text(json.dumps(self._directory(), indent=2))
        for pod in self.topology.pods.values():
            role, version = pod.name.rsplit("-", 1)
            program = [sys.executable, str(PROGRAMS / "bookinfo.py")]
            processes.start(
                inside(pod.netns, *program, role, version, str(table)),
                directory / f"{pod.name}.log",
                {"DEMO_MARKER": self.marker},
            )

    def pages(self, via: str, family: str, count: int) -> list[dict]:
        """Asks productpage from its own node, so that the question itself crosses no cable."""
        page = self.topology.pods["productpage-v1"]
        url = f"http://{page.ip4}:{SERVICE_PORT}/?via={via}&family={family}"
        client = [sys.executable, str(PROGRAMS / "client.py"), url, self.token, str(count)]
        netns = self.topology.nodes["a"].netns
        result = subprocess.run(inside(netns, *client), capture_output=True, text=True, timeout=60)
        if result.returncode != 0:
            raise Untrue(f"the client runs: {result.stderr}")
        return [json.loads(line) for line in result.stdout.splitlines()]

    def page(self, via: str, family: str) -> dict:
        return self.pages(via, family, 1)[0]

    def _directory(self) -> dict:
        pods = self.topology.pods
        table = {}
        for name in SERVICES:
            pod = pods[CONTROL_PODS.get(name, f"{name}-v1")]
            vip4, vip6 = virtual(name)
            table[name] = {
                "pod": {"4": pod.ip4, "6": pod.ip6},
                "service": {"4": vip4, "6": vip6},
            }
        return table

    def _check_addresses(self, manifests: Path) -> None:
        text = "".join(path.read_text() for path in manifests.iterdir())
        pods = [address for pod in self.topology.pods.values() for address in (pod.ip4, pod.ip6)]
        virtuals = [address for name in SERVICES for address in virtual(name)]
        missing = [address for address in pods + virtuals if address not in text]
        if missing:
            raise Untrue(f"the manifests name every address: {missing} are not there")


def identity(service: str) -> str:
    return f"spiffe://cluster.local/ns/bookinfo/sa/bookinfo-{service}"


def virtual(service: str) -> tuple[str, str]:
    return f"10.96.0.{SERVICES[service]}", f"fd96::{SERVICES[service]}"


def page_problem(page: dict) -> str | None:
    """What a page lacks; it is whole when each service in it answered."""
    if page["status"] != 200:
        return f"productpage answered {page}"
    text = json.dumps(page["body"])
    return text if '"error"' in text or not page["body"]["token"] else None


def expect_page(page: dict, quietly: bool = False) -> None:
    problem = page_problem(page)
    if problem is not None or not quietly:
        expect(problem is None, "productpage shows details, reviews and ratings", problem or "")
