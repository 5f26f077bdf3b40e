#!/usr/bin/env python3
"""Two nodes, six pods: enrolled live, encrypted, authorised, explained; each claim is checked.

    NODE_AGENT=… ZTUNNEL=… demo.py          make the mesh, check it, take it down
    KEEP=1 NODE_AGENT=… ZTUNNEL=… demo.py   leave it up
    demo.py down                            take down what KEEP=1 left

Exits 0 only when everything that it prints was so.
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import shutil
import signal
import sys
import time
from pathlib import Path

from bookshop import PODS, Bookshop, expect_page, identity, page_problem, virtual
from claims import Untrue, expect, indented, wait_for
from mesh import STOP_SECONDS, NodeAgent, Processes, marked_rules, replace, tear_down
from topology import Topology, TopologyError
from wire import Capture, Wire

HERE = Path(__file__).resolve().parent
PREFIX = "skein-demo-"
DIRECTORY = Path("/tmp/skein-demo")
LOCK = Path("/tmp/skein-demo.lock")

TUNNEL_PORT = 15008
ENROLMENT_SECONDS = 20
POLICY_SECONDS = 5
REQUESTS = 24


class Demonstration:
    def __init__(self, programs: dict[str, str]) -> None:
        self.programs = programs
        self.topology = Topology(PREFIX, ["a", "b"])
        self.processes = Processes(DIRECTORY.with_suffix(".pids"))
        self.agents = [
            NodeAgent(node, DIRECTORY, programs) for node in self.topology.nodes.values()
        ]
        self.shop = Bookshop(
            self.topology,
            token=f"request-{secrets.token_hex(16)}",
            marker=f"answer-{secrets.token_hex(16)}",
        )

    @property
    def secrets(self) -> dict[str, str]:
        return {"the request's token": self.shop.token, "the answer's marker": self.shop.marker}

    def run(self, keeps: bool) -> None:
        steps = [
            self.make_nodes_and_pods,
            self.start_node_agents,
            self.prove_that_plaintext_is_readable,
            self.enrol,
            self.prove_that_the_mesh_is_unreadable,
            self.refuse_and_explain,
            self.show_status,
        ]
        if not keeps:
            steps.append(self.leave_nothing)
        for number, step in enumerate(steps, start=1):
            print(f"\n{number}. {step.__doc__}", flush=True)
            step()

    # The steps, in order

    def make_nodes_and_pods(self) -> None:
        """Two nodes and six pods with real HTTP servers, in network namespaces."""
        DIRECTORY.mkdir(mode=0o700)
        (DIRECTORY / "programs.json").write_text(json.dumps(self.programs))
        shutil.copytree(HERE / "manifests", DIRECTORY / "manifests")
        self.topology.up()
        self.shop.open(DIRECTORY, self.processes)
        wait_for("the pods answer", 10, lambda: page_problem(self.shop.page("pod", "4")))
        for pod in self.topology.pods.values():
            print(f"  node {pod.node}  {pod.name:<15} {pod.ip4:<12} {pod.ip6}")
        expect(True, "productpage answers with details, reviews and ratings over plain TCP")

    def start_node_agents(self) -> None:
        """A node agent on each node; the namespace is not enrolled."""
        for agent in self.agents:
            agent.start(self.processes)
        for agent in self.agents:
            took = wait_for(
                f"{agent.name} is up",
                ENROLMENT_SECONDS,
                lambda agent=agent: self.health_problem(agent),
            )
            expect(True, f"{agent.name} is healthy, with no pod enrolled ({took:.1f} s)")

    def prove_that_plaintext_is_readable(self) -> None:
        """The control: without the mesh, whoever listens on the cable reads all of it."""
        with Capture(self.topology, DIRECTORY / "control.frames") as capture:
            expect_page(self.shop.page("pod", "4"))
        wire = capture.wire
        print(f"  {len(wire.frames)} frames, {wire.bytes_seen} bytes between the nodes")
        for what, text in self.secrets.items():
            expect(wire.can_read(text), f"{what} is readable, so this check can fail")

    def enrol(self) -> None:
        """Enrolled live: the namespace gets its label, no pod restarts."""
        manifest = DIRECTORY / "manifests/00-namespace.yaml"
        label = "  labels:\n    istio.io/dataplane-mode: ambient\n"
        replace(manifest, manifest.read_text() + label)
        took = wait_for("all pods are proven", ENROLMENT_SECONDS, self.enrolment_problem)
        expect(
            True,
            f"{len(PODS)} pods enrolled and proven in {took:.1f} s: netns, cgroup, uid and "
            "addresses agree, canaries arrived",
        )

    def prove_that_the_mesh_is_unreadable(self) -> None:
        """Through the mesh: services by virtual address, IPv4 and IPv6, and nothing to read."""
        with Capture(self.topology, DIRECTORY / "mesh.frames") as capture:
            expect_page(self.shop.page("service", "4"))
            pages = [
                page
                for via, family in (("service", "4"), ("service", "6"), ("pod", "4"), ("pod", "6"))
                for page in self.shop.pages(via, family, REQUESTS // 4)
            ]
        for page in pages:
            expect_page(page, quietly=True)
        expect(True, f"{len(pages)} pages, each complete")
        versions = {page["body"]["reviews"]["version"] for page in pages}
        took_turns = versions == {"v1", "v2", "v3"}
        expect(took_turns, "reviews v1, v2 and v3 took turns", f"only {versions}")
        productpage = self.topology.pods["productpage-v1"]
        clients = {page["body"]["details"]["client"] for page in pages}
        expect(
            clients == {productpage.ip4, productpage.ip6},
            "details saw the client's own addresses",
            f"it saw {clients}",
        )
        self.check_wire(capture.wire)
        self.check_tunnels()

    def check_wire(self, wire: Wire) -> None:
        carried = wire.payload_bytes(TUNNEL_PORT)
        print(
            f"  {len(wire.frames)} frames, {wire.bytes_seen} bytes between the nodes, "
            f"{carried} of them payload on port {TUNNEL_PORT}"
        )
        expect(wire.bytes_seen > 0 and carried > 0, f"the traffic went over port {TUNNEL_PORT}")
        ports = wire.ports_with_payload()
        expect(ports == {TUNNEL_PORT}, "nothing else carried a byte", f"ports {sorted(ports)}")
        bare = wire.flows_not_starting_with_tls(TUNNEL_PORT)
        expect(not bare, "each connection began with a TLS handshake", f"{bare}")
        for what, text in {**self.secrets, "HTTP": "HTTP/1.1"}.items():
            expect(not wire.can_read(text), f"{what} is not readable")

    def check_tunnels(self) -> None:
        tunnels = self.agents[0].report()["tunnels"]
        peers = {tunnel["peerIdentity"] for tunnel in tunnels if tunnel["direction"] == "outbound"}
        wanted = identity("details")
        expect(wanted in peers, f"node a proved {wanted} before it sent", f"tunnels to {peers}")

    def refuse_and_explain(self) -> None:
        """A DENY for productpage to details: refused, and explained on both nodes."""
        policy = "details-deny-productpage"
        target = DIRECTORY / f"manifests/{policy}.yaml"
        replace(target, (HERE / f"policies/{policy}.yaml").read_text())
        took = wait_for("details is closed to productpage", POLICY_SECONDS, self.denial_problem)
        expect(True, f"details refuses productpage {took:.1f} s after the policy was written")
        page = self.shop.page("service", "4")
        expect("error" not in page["body"]["reviews"], "reviews, which the policy spares, answers")
        self.check_refusals(policy)
        answer = self.agents[0].ask(
            "explain", "--from", "bookinfo/productpage-v1", "--to", f"{virtual('details')[0]}:9080"
        )
        expect(
            answer.returncode == 1 and f"bookinfo/{policy}" in answer.stdout,
            "node-agent explain says so without sending anything",
            f"{answer.stdout}{answer.stderr}",
        )
        print(indented(answer.stdout))
        target.unlink()
        took = wait_for(
            "details is open again",
            POLICY_SECONDS,
            lambda: page_problem(self.shop.page("service", "4")),
        )
        expect(True, f"without the policy details answers again ({took:.1f} s)")

    def show_status(self) -> None:
        """What each node says of itself."""
        for agent in self.agents:
            answer = agent.ask("status")
            print(indented(answer.stdout))
            expect(answer.returncode == 0, f"{agent.name} is healthy", answer.stderr)

    def leave_nothing(self) -> None:
        """SIGTERM: the pods are released and nothing is left in the kernel."""
        ztunnels = [agent.report()["ztunnel"]["processID"] for agent in self.agents]
        pids = [agent.pid for agent in self.agents]
        stubborn = self.processes.stop(pids, STOP_SECONDS)
        expect(not stubborn, "both node agents ended by themselves", f"killed {stubborn}")
        codes = [self.processes.children[pid].returncode for pid in pids]
        expect(codes == [0, 0], "with exit code 0", f"{codes}")
        alive = [pid for pid in ztunnels if self.processes.is_running(pid)]
        expect(not alive, "no ztunnel is left", f"processes {alive}")
        pins = [path for agent in self.agents for path in agent.leftovers()]
        expect(not pins, "no BPF program is left", f"{pins}")
        rules = [rule for pod in self.topology.pods.values() for rule in marked_rules(pod.netns)]
        expect(not rules, "no rule is left in a pod", f"{rules}")
        expect_page(self.shop.page("pod", "4"))

    # What is asked and answered

    def health_problem(self, agent: NodeAgent) -> str | None:
        if not self.processes.is_running(agent.pid):
            raise Untrue(f"{agent.name} runs: it ended, see its log")
        status = agent.status()
        if status is None:
            return "it does not answer"
        if not status["node"]["isHealthy"]:
            return "; ".join(status["node"]["problems"]) or "it is not healthy"
        enrolled = [pod["name"] for pod in status["pods"] if pod["state"] == "enrolled"]
        return f"{enrolled} are enrolled already" if enrolled else None

    def enrolment_problem(self) -> str | None:
        proven = set()
        for agent in self.agents:
            for pod in (agent.status() or {"pods": []})["pods"]:
                proof = pod.get("proof") or {}
                canaries = {proof.get("canaryIPv4"), proof.get("canaryIPv6")}
                if pod["state"] == "enrolled" and proof.get("provenAt") and canaries == {"passed"}:
                    proven.add(pod["name"])
        missing = {name for name, _ in PODS} - proven
        return f"{sorted(missing)} are not proven" if missing else None

    def denial_problem(self) -> str | None:
        page = self.shop.page("service", "4")
        if page["status"] != 200:
            raise Untrue(f"productpage itself still answers: {page}")
        return None if "error" in page["body"]["details"] else "details still answers"

    def check_refusals(self, policy: str) -> None:
        wait_for("both nodes know the refusal by one id", 3, self.refusal_problem)
        for agent, refusal in zip(self.agents, self.newest_refusals(), strict=True):
            print(f"  {agent.name}, {refusal['direction']}: {refusal['reason']}")
            print(indented(agent.ask("status", "refusals").stdout))
            ends = (refusal["sourceIdentity"], refusal["destinationIdentity"])
            expect(
                ends == (identity("productpage"), identity("details")),
                "the record names both identities",
                f"it names {ends}",
            )
            expect(policy in json.dumps(refusal), f"the record names bookinfo/{policy}")
            expect(True, f"its id on both nodes is {refusal['id']}")

    def newest_refusals(self) -> list[dict]:
        """The newest refusal of each node that has any."""
        records = [agent.report()["refusals"] for agent in self.agents]
        return [refusals[0] for refusals in records if refusals]

    def refusal_problem(self) -> str | None:
        ids = [refusal["id"] for refusal in self.newest_refusals()]
        return None if len(ids) == 2 and ids[0] == ids[1] else f"the newest are {ids}"


def programs() -> dict[str, str]:
    """The programs named by the environment, else those of a mesh that is up."""
    written = DIRECTORY / "programs.json"
    found = json.loads(written.read_text()) if written.exists() else {}
    for name in ("NODE_AGENT", "ZTUNNEL"):
        path = os.environ.get(name) or found.get(name, "")
        if not os.access(path, os.X_OK):
            sys.exit(f"demo: {name} names no program ({path or 'unset'}); run `make demo`")
        found[name] = str(Path(path).resolve())
    return found


def print_logs() -> None:
    for log in sorted(DIRECTORY.glob("node-agent-*.log")):
        lines = log.read_text(errors="replace").splitlines()[-30:]
        print(f"\nThe end of {log.name}:\n{indented(chr(10).join(lines))}", file=sys.stderr)


def print_how_to_look_around(agent: NodeAgent) -> None:
    state, program = agent.state, agent.programs["NODE_AGENT"]
    print(f"""
The mesh stays up. As root:

  {program} status --state-dir {state}
  {program} status connections --state-dir {state}
  {program} explain --state-dir {state} --from bookinfo/productpage-v1 --to 10.96.0.2:9080
  nsenter --net=/run/netns/{PREFIX}productpage-v1 curl http://10.96.0.3:9080/
  edit {DIRECTORY}/manifests/*.yaml     the nodes follow; policies to try in {HERE}/policies
  less {agent.log}
  {HERE}/run.sh down                    take it down
""")


def take_down(demonstration: Demonstration) -> None:
    tear_down(PREFIX, DIRECTORY, demonstration.agents, demonstration.processes)


def show(demonstration: Demonstration, keeps: bool) -> int:
    """Runs the steps; the exit code says whether all was so."""
    start = time.monotonic()
    try:
        demonstration.run(keeps)
    except (Untrue, TopologyError) as error:
        print(f"  NOT  {error}", file=sys.stderr)
        print_logs()
        return 1
    except KeyboardInterrupt:
        return 130
    print(f"\nAll of it was so, in {time.monotonic() - start:.0f} s.")
    return 0


def main() -> int:
    if os.geteuid() != 0:
        sys.exit("demo: needs root, for network namespaces and BPF")
    lock = open(LOCK, "w", encoding="ascii")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        sys.exit("demo: another one is running on this machine")
    if sys.argv[1:] == ["down"] and not DIRECTORY.exists():
        return 0
    demonstration = Demonstration(programs())
    take_down(demonstration)
    if sys.argv[1:] == ["down"]:
        return 0
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    keeps = os.environ.get("KEEP", "") not in ("", "0")
    try:
        return show(demonstration, keeps)
    finally:
        if keeps:
            print_how_to_look_around(demonstration.agents[0])
        else:
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            take_down(demonstration)


if __name__ == "__main__":
    sys.exit(main())
