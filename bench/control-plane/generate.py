#!/usr/bin/env python3
"""Writes manifests of a mesh: generate.py FOLDER PODS SERVICES [PODS-PER-FILE].

Pods are spread over 200 nodes, 20 namespaces and all services.
"""

import os
import sys

NODES, NAMESPACES = 200, 20

NAMESPACE = """apiVersion: v1
kind: Namespace
metadata: {{name: team-{0}, labels: {{istio.io/dataplane-mode: ambient}}}}
"""

SERVICE = """apiVersion: v1
kind: Service
metadata: {{name: app-{s}, namespace: team-{n}}}
spec:
  selector: {{app: app-{s}}}
  clusterIP: {ip}
  ports: [{{name: http, port: 80, targetPort: 8080}}]
"""

POD = """apiVersion: v1
kind: Pod
metadata:
  name: app-{s}-{p}
  namespace: team-{n}
  uid: 00000000-0000-0000-0000-{p:012d}
  labels: {{app: app-{s}, version: v1}}
spec:
  nodeName: node-{node}
  serviceAccountName: app-{s}
  containers:
  - name: app
    image: example/app:1
    ports: [{{containerPort: 8080}}]
status:
  phase: Running
  podIP: {ip}
  podIPs: [{{ip: {ip}}}]
  conditions: [{{type: Ready, status: "True"}}]
"""


def address(first, index):
    return f"10.{first + index // 65536}.{index // 256 % 256}.{index % 256}"


def main(folder, pods, services, per_file):
    os.makedirs(folder, exist_ok=True)
    files = {"namespaces.yaml": [NAMESPACE.format(n) for n in range(NAMESPACES)]}
    for s in range(services):
        text = SERVICE.format(s=s, n=s % NAMESPACES, ip=address(32, s))
        files.setdefault(f"services-{s // per_file:05d}.yaml", []).append(text)
    for p in range(pods):
        s = p % services
        text = POD.format(s=s, p=p, n=s % NAMESPACES, node=p % NODES, ip=address(64, p))
        files.setdefault(f"pods-{p // per_file:05d}.yaml", []).append(text)
    for name, documents in files.items():
        with open(os.path.join(folder, name), "w") as file:
            file.write("---\n".join(documents))


if __name__ == "__main__":
    arguments = [int(number) for number in sys.argv[2:]]
    main(sys.argv[1], arguments[0], arguments[1], arguments[2] if len(arguments) > 2 else 10)
