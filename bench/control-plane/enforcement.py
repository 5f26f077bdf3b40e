#!/usr/bin/env python3
"""enforcement.py run STATE CHANGES: changes a policy and a label of the namespace `bench` and of a pod on
each node, and says how long both nodes took to enforce it, from before the first write until a stranger's
knock ends the other way.
enforcement.py knock ADDRESS PORT: knocks all the time, and prints each change with its time."""
import http.client
import json
import os
import queue
import random
import socket
import ssl
import subprocess
import sys
import threading
import time

POLICY = "/apis/security.istio.io/v1/namespaces/bench/peerauthentications"
LIMIT = 30


def knock(address, port):
    last = None
    while True:
        try:
            with socket.create_connection((address, port), timeout=0.1) as s:
                s.sendall(b"GET /index.html HTTP/1.0\r\n\r\n")
                state = "open" if s.recv(100) else "shut"
        except TimeoutError:
            state = last  # it was on its way when its pod was captured
        except OSError:
            state = "shut"
        if state != last:
            print(state, time.monotonic(), flush=True)
            last = state
        time.sleep(0.002)


class Knocker:
    """A process in the stranger's network, and what it last saw."""

    def __init__(self, process, address):
        self.changes = queue.Queue()
        command = ["nsenter", f"--net=/proc/{process}/ns/net", "python3", __file__, "knock", address, "8080"]
        self.program = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        for line in self.program.stdout:
            state, at = line.split()
            self.changes.put((state, float(at)))

    def wait(self, wanted):
        while True:
            state, at = self.changes.get(timeout=LIMIT)
            if state == wanted:
                return at


def main(state, changes):
    context = ssl.create_default_context(cafile=state + "/pki/ca.crt")
    context.load_cert_chain(state + "/pki/admin.crt", state + "/pki/admin.key")
    api = http.client.HTTPSConnection("127.0.0.1", 16443, context=context)

    def ask(method, path, body=None, kind="application/merge-patch+json"):
        api.request(method, path, body and json.dumps(body), {"Content-Type": kind})
        answer = api.getresponse()
        text = answer.read()
        assert answer.status < 300, (answer.status, text)
        return json.loads(text)

    pods = ask("GET", "/api/v1/namespaces/bench/pods")["items"]
    knocked = list({p["spec"]["nodeName"]: p for p in pods}.values())
    assert len(knocked) == 2, "no pod on one of the nodes"
    knockers = [Knocker(stranger(state), p["status"]["podIP"]) for p in knocked]
    for knocker in knockers:
        knocker.wait("open")

    def label(value):
        body = {"metadata": {"labels": {"istio.io/dataplane-mode": value}}}
        ask("PATCH", "/api/v1/namespaces/bench", body)

    def label_pods(value):
        body = {"metadata": {"labels": {"istio.io/dataplane-mode": value}}}
        for pod in knocked:
            ask("PATCH", "/api/v1/namespaces/bench/pods/" + pod["metadata"]["name"], body)

    def strict():
        body = {"apiVersion": "security.istio.io/v1", "kind": "PeerAuthentication",
                "metadata": {"name": "default"}, "spec": {"mtls": {"mode": "STRICT"}}}
        ask("POST", POLICY, body, "application/json")

    def measure(name, wanted, change, times):
        time.sleep(random.uniform(0.4, 0.8))
        begin = time.monotonic()
        change()
        times.setdefault(name, []).append(max(k.wait(wanted) for k in knockers) - begin)

    times = {}
    for _ in range(changes):
        measure("policy applied", "shut", strict, times)
        measure("policy deleted", "open", lambda: ask("DELETE", POLICY + "/default"), times)
    strict()
    for knocker in knockers:
        knocker.wait("shut")
    for _ in range(changes):
        measure("a pod of each node opts out", "open", lambda: label_pods("none"), times)
        measure("and is back", "shut", lambda: label_pods(None), times)
    for _ in range(changes):
        measure("label taken away", "open", lambda: label(None), times)
        measure("label set", "shut", lambda: label("ambient"), times)
    for name, values in times.items():
        values.sort()
        at = [values[min(len(values) - 1, int(len(values) * q))] * 1000 for q in (0.5, 0.99)]
        print(f"{name}: {len(values)} times, median {at[0]:.0f} ms, p99 {at[1]:.0f} ms, "
              f"at most {values[-1] * 1000:.0f} ms")
    for knocker in knockers:
        knocker.program.kill()


def stranger(state):
    """The process of the stranger's pod, as this machine numbers it: the sleep in its control group."""
    cache = os.environ.get("K8S_CACHE", "/var/cache/k8s-test")
    kubectl = [cache + "/bin/kubectl", "--kubeconfig", state + "/kubeconfig"]
    uid = subprocess.check_output(
        kubectl + ["-n", "default", "get", "pod", "stranger", "-o", "jsonpath={.metadata.uid}"], text=True)
    for process in subprocess.check_output(["pgrep", "-x", "sleep"], text=True).split():
        try:
            if f"pod{uid}" in open(f"/proc/{process}/cgroup").read():
                return process
        except OSError:
            continue
    raise SystemExit(f"no process of pod {uid}")


if __name__ == "__main__":
    if sys.argv[1] == "knock":
        knock(sys.argv[2], int(sys.argv[3]))
    main(sys.argv[2], int(sys.argv[3]))
