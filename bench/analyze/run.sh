#!/usr/bin/env bash
# bench/analyze/run.sh [PODS SERVICES]: how long `skein analyze` takes over files of a mesh: 2 000 pods and
# 1 000 services, each with a VirtualService, a DestinationRule, an AuthorizationPolicy and a NetworkPolicy.
# Prints seconds, and the largest memory in KiB. Needs SKEIN=<a release build>.
set -euo pipefail
cd "$(dirname "$0")/../.."

program=${SKEIN:-.build-release/release/skein}
pods=${1:-2000} services=${2:-1000}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 bench/control-plane/generate.py "$work/mesh" "$pods" "$services"
python3 - "$work/mesh" "$services" <<'PY'
import json, pathlib, sys

folder, services = pathlib.Path(sys.argv[1]), int(sys.argv[2])
extra = []
for number in range(services):
    name, namespace = f"app-{number}", f"team-{number % 20}"
    metadata = {"name": name, "namespace": namespace}
    app = {"matchLabels": {"app": name}}
    extra += [
        {"apiVersion": "networking.istio.io/v1", "kind": "VirtualService", "metadata": metadata,
         "spec": {"hosts": [name], "http": [
             {"match": [{"uri": {"prefix": "/a"}}], "route": [{"destination": {"host": name, "subset": "v1"}}]},
             {"route": [{"destination": {"host": name}}]}]}},
        {"apiVersion": "networking.istio.io/v1", "kind": "DestinationRule", "metadata": metadata,
         "spec": {"host": name, "subsets": [{"name": "v1", "labels": {"version": "v1"}}]}},
        {"apiVersion": "security.istio.io/v1", "kind": "AuthorizationPolicy", "metadata": metadata,
         "spec": {"selector": app, "rules": [{"from": [{"source": {"namespaces": [namespace]}}]}]}},
        {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": metadata,
         "spec": {"podSelector": app, "ingress": [{"ports": [{"port": 8080}]}]}},
    ]
print(f"{len(extra)} objects beside the mesh's own")
for index in range(0, len(extra), 500):
    (folder / f"extra-{index}.json").write_text(
        json.dumps({"apiVersion": "v1", "kind": "List", "items": extra[index:index + 500]}))
PY
/usr/bin/time -f '%e s, %M KiB' "$program" analyze --use-cluster=false "$work/mesh" > "$work/found" || true
tail -1 "$work/found"
