"""The processes of the demonstration: pods' programs and one node agent per node.

Every process is written down with its start time, so that a later run can end exactly these, even
when an earlier one was left up or killed.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from claims import Untrue
from topology import Node, Topology, inside

BPF_FILE_SYSTEM = Path("/sys/fs/bpf")
PIN_DIRECTORY = "skein"
DRAIN = "2s"
# What a node agent may take to drain, release its pods and end.
STOP_SECONDS = 15


class Processes:
    """Processes by id and start time; ended by id, and only while the start time still fits."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.children: dict[int, subprocess.Popen] = {}

    def start(self, command: list[str], log: Path, environment: dict[str, str]) -> int:
        with open(log, "ab") as output:
            child = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**os.environ, **environment},
                # Ctrl-C is for the driver, which then ends these in order.
                start_new_session=True,
            )
        self.children[child.pid] = child
        self.path.write_text(json.dumps([*self._written(), [child.pid, start_time(child.pid)]]))
        return child.pid

    def is_running(self, pid: int) -> bool:
        child = self.children.get(pid)
        if child is not None:
            return child.poll() is None
        return start_time(pid) is not None

    def stop(self, pids: list[int], seconds: float) -> list[int]:
        """SIGTERM to all, SIGKILL to those still there after a while; returns the latter."""
        for pid in pids:
            if self.is_running(pid):
                os.kill(pid, signal.SIGTERM)
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and any(map(self.is_running, pids)):
            time.sleep(0.05)
        stubborn = [pid for pid in pids if self.is_running(pid)]
        for pid in stubborn:
            os.kill(pid, signal.SIGKILL)
        for pid in pids:
            if pid in self.children:
                self.children[pid].wait()
        return stubborn

    def stop_all(self, seconds: float) -> None:
        """Ends what this run and earlier ones left behind."""
        self.stop([pid for pid, at in self._written() if start_time(pid) == at], seconds)
        self.path.unlink(missing_ok=True)

    def _written(self) -> list[list]:
        return json.loads(self.path.read_text()) if self.path.exists() else []


def start_time(pid: int) -> str | None:
    """When a process started, in clock ticks since boot; None when it is gone or only a zombie."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] == "Z" else fields[19]


class NodeAgent:
    """One `node-agent run` in its node's network namespace."""

    def __init__(self, node: Node, directory: Path, programs: dict[str, str]) -> None:
        self.node = node
        self.name = node.netns
        self.directory = directory
        self.programs = programs
        self.state = directory / f"state-{node.name}"
        self.log = directory / f"node-agent-{node.name}.log"
        self.pid = 0

    def start(self, processes: Processes) -> None:
        self.pid = processes.start(
            inside(
                self.node.netns,
                self.programs["NODE_AGENT"], "run",
                "--node", self.name,
                "--config", str(self.directory / "manifests"),
                "--state-dir", str(self.state),
                "--ca-dir", str(self.directory / "ca"),
                "--ztunnel", self.programs["ZTUNNEL"],
                "--drain", DRAIN,
            ),
            self.log,
            {},
        )

    def ask(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [self.programs["NODE_AGENT"], *arguments, "--state-dir", str(self.state)],
            capture_output=True,
            text=True,
            timeout=20,
        )

    def status(self) -> dict | None:
        """The whole status, or nothing while the node agent does not answer."""
        answer = self.ask("status", "-o", "json")
        try:
            return json.loads(answer.stdout)
        except ValueError:
            return None

    def report(self) -> dict:
        """The whole status of a node agent that has to answer."""
        status = self.status()
        if status is None:
            raise Untrue(f"{self.name} answers: `node-agent status` gives no JSON")
        return status

    def uninstall(self) -> None:
        """Removes what a killed node agent left in the kernel."""
        answer = self.ask("uninstall", "--node", self.name)
        if answer.returncode != 0:
            print(f"demo: node-agent uninstall: {answer.stderr}{answer.stdout}", file=sys.stderr)

    def leftovers(self) -> list[str]:
        """What of this node is still in bpffs."""
        return [str(path) for path in BPF_FILE_SYSTEM.glob(f"{PIN_DIRECTORY}/*/{self.name}")]


def tear_down(prefix: str, directory: Path, agents: list[NodeAgent], processes: Processes) -> None:
    """Ends and removes everything of the demonstration, whatever state it is in."""
    processes.stop_all(STOP_SECONDS)
    for agent in agents:
        if agent.leftovers():
            agent.uninstall()
    Topology(prefix, []).down()
    shutil.rmtree(directory, ignore_errors=True)


def marked_rules(netns: str) -> list[str]:
    """The policy-routing rules that look at a mark."""
    found = []
    for family in ("-4", "-6"):
        result = subprocess.run(
            ["ip", "-n", netns, family, "rule"], capture_output=True, text=True, check=True
        )
        found += [line for line in result.stdout.splitlines() if "fwmark" in line]
    return found


def replace(path: Path, text: str) -> None:
    """Writes a manifest as a careful editor does: whole, by renaming."""
    new = path.with_name(f".{path.name}.new")
    new.write_text(text)
    new.rename(path)
