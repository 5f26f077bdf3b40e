#!/usr/bin/env python3
"""Two-hop tunnels side by side: client pod - node A - node B - server pod, one veth per hop.

Every peer is started fresh for each repetition, in an order that reverses each time, and answers the same load, so
that only ratios between columns of one run mean anything. See README.md; adapters/README is a peer's contract.
"""
import argparse
import json
import os
import re
import signal
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
A_LISTEN, B_LISTEN, DESTINATION = "10.201.1.1:15001", "10.201.2.2:15008", "10.201.3.2:7000"

# name: arguments of perfload, or WRK, or IDLE
LOADS = {
    "bulk_d1": "bulk d 1 2",
    "bulk_u1": "bulk u 1 2",
    "bulk_d8": "bulk d 8 2",
    "rr1": "rr 1 64 64 2",
    "rr64": "rr 64 64 64 2",
    "rr16k": "rr 16 64 16384 2",
    "rate1k": "rate 16 64 1024 3 1000",
    "rate10k": "rate 64 64 1024 2 10000",
    "http32": "WRK",
    "idle1000": "IDLE",
    "crate500": "crate 64 2 500",
    "crr16": "crr 16 2",
}


def control_group_root():
    for line in open("/proc/mounts"):
        _, path, kind, *_ = line.split()
        if kind == "cgroup2":
            return path
    sys.exit("bench: no cgroup2 is mounted; mount -t cgroup2 none /sys/fs/cgroup")


ROOT = control_group_root()


def group(role):
    return f"{ROOT}/perf-{role}"


def inside(namespace, command, **options):
    return subprocess.Popen(["nsenter", f"--net=/run/netns/{namespace}", *command], **options)


def used_microseconds(role):
    for line in open(group(role) + "/cpu.stat"):
        key, value = line.split()
        if key == "usage_usec":
            return int(value)
    return 0


def machine_microseconds():
    fields = list(map(int, open("/proc/stat").readline().split()[1:]))
    return (sum(fields[:8]) - fields[3] - fields[4]) * 10_000


def resident_kilobytes(role):
    total = 0
    for process in open(group(role) + "/cgroup.procs").read().split():
        try:
            for line in open(f"/proc/{process}/smaps_rollup"):
                if line.startswith("Rss:"):
                    total += int(line.split()[1])
        except OSError:
            continue  # it ended between the two reads
    return total


class Peer:
    """One adapter's two proxies, from start to end."""

    def __init__(self, name, work, threads):
        self.name, self.work, self.threads = name, work, threads
        self.path = f"{HERE}/adapters/{name}.sh"
        self.is_plain = "NOPROXY" in open(self.path).read()
        self.address = DESTINATION if self.is_plain else A_LISTEN
        self.processes = []

    def start(self):
        if self.is_plain:
            return
        for role in "ba":
            os.makedirs(group(role), exist_ok=True)
            environment = dict(
                os.environ, ROLE=role, A_LISTEN=A_LISTEN, B_LISTEN=B_LISTEN, DST=DESTINATION,
                CERTS=f"{HERE}/certs", WORK=self.work, THREADS=str(self.threads))
            log = open(f"{self.work}/{self.name}-{role}.log", "w")

            def join(role=role):
                os.setsid()
                open(group(role) + "/cgroup.procs", "w").write("0")

            self.processes.append(inside(
                "perf-" + role, [self.path, role], env=environment, preexec_fn=join, stdout=log,
                stderr=log, stdin=subprocess.DEVNULL))
            time.sleep(0.4)

    def is_up(self):
        for _ in range(80):
            time.sleep(0.25)
            if "error" not in load(self.address, "rr 1 1 1 0.01", 5):
                return True
        return False

    def stop(self):
        for role in "ab" if not self.is_plain else "":
            for process in open(group(role) + "/cgroup.procs").read().split():
                os.kill(int(process), signal.SIGKILL)
        for process in self.processes:
            process.wait()
        for role in "ab" if not self.is_plain else "":
            for _ in range(100):
                try:
                    os.rmdir(group(role))
                    break
                except OSError:
                    time.sleep(0.05)  # the kernel still counts the dead


def load(address, arguments, limit=40):
    host, port = address.split(":")
    client = inside(
        "perf-c", ["timeout", str(limit), f"{HERE}/bin/perfload", host, port, *arguments.split()],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    lines = client.communicate()[0].decode().strip().splitlines()
    try:
        return json.loads(lines[-1])
    except (IndexError, ValueError):
        return {"error": f"perfload ended with {client.returncode}"}


def load_http(address):
    text = inside(
        "perf-c", ["wrk", "-t1", "-c32", "-d2", "--latency", f"http://{address}/"],
        stdout=subprocess.PIPE).communicate()[0].decode()

    def microseconds(pattern):
        found = re.search(pattern + r"\s+([\d.]+)(us|ms|s)", text)
        return float(found[1]) * {"us": 1, "ms": 1e3, "s": 1e6}[found[2]] if found else 0

    rate = re.search(r"Requests/sec:\s+([\d.]+)", text)
    if not rate:
        return {"error": "wrk gave no rate"}
    return {"rps": float(rate[1]), "secs": 2, "p50": microseconds("50%"), "p99": microseconds("99%")}


def load_idle(address):
    client = inside(
        "perf-c", ["timeout", "15", f"{HERE}/bin/perfload", *address.split(":"), "idle", "1000", "2.5"],
        stdout=subprocess.PIPE)
    time.sleep(2.0)
    memory = {f"rss_{role}": resident_kilobytes(role) for role in "ab" if os.path.exists(group(role))}
    lines = client.communicate()[0].decode().splitlines()
    return {**(json.loads(lines[0]) if lines else {"error": "no idle connection"}), **memory}


def measure(peer, name):
    has_groups = not peer.is_plain
    before = [used_microseconds(role) if has_groups else 0 for role in "ab"]
    busy, started = machine_microseconds(), time.time()
    arguments = LOADS[name]
    if arguments == "WRK":
        result = load_http(peer.address)
    elif arguments == "IDLE":
        result = load_idle(peer.address)
    else:
        result = load(peer.address, arguments)
    for role, then in zip("ab", before):
        result[f"cpu_{role}"] = (used_microseconds(role) - then) / 1e6 if has_groups else 0
    result["busy"] = (machine_microseconds() - busy) / 1e6
    result["wall"] = time.time() - started
    return result


def repetition(name, loads, work, threads):
    peer, results = Peer(name, work, threads), {}
    try:
        peer.start()
        if not peer.is_up():
            return {"start": {"error": f"did not come up; see {work}/{name}-*.log"}}
        time.sleep(0.5)
        if not peer.is_plain:
            results["rss_idle"] = {role: resident_kilobytes(role) for role in "ab"}
        for load_name in loads:
            results[load_name] = measure(peer, load_name)
            time.sleep(0.15)
        if not peer.is_plain:
            results["rss_after"] = {role: resident_kilobytes(role) for role in "ab"}
    finally:
        peer.stop()
    return results


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peers", default="plain,splice,envoy,skein")
    parser.add_argument("--reps", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--loads", default=",".join(LOADS))
    parser.add_argument("--out", default=f"{HERE}/results/last.json")
    options = parser.parse_args()

    work = f"{HERE}/results/work"
    os.makedirs(work, exist_ok=True)
    subprocess.run([f"{HERE}/net.sh", "up"], check=True)
    server = inside("perf-s", [f"{HERE}/bin/perfsrv", "10.201.3.2", "7000"])
    peers, results = options.peers.split(","), {}
    try:
        for number in range(options.reps):
            for name in peers if number % 2 == 0 else peers[::-1]:
                measured = repetition(name, options.loads.split(","), work, options.threads)
                results.setdefault(name, []).append(measured)
                json.dump(results, open(options.out, "w"))
                errors = {key: value["error"] for key, value in measured.items() if "error" in value}
                print(time.strftime("%H:%M:%S"), f"repetition {number + 1}", name, errors or "ok",
                      file=sys.stderr, flush=True)
    finally:
        server.kill()
        server.wait()
        subprocess.run([f"{HERE}/net.sh", "down"], check=False)
    subprocess.run([sys.executable, f"{HERE}/table.py", options.out], check=True)


main()
