#!/usr/bin/env bash
# bench/control-plane/cluster.sh [CHANGES]: Skein on two real nodes with 20 enrolled pods each: memory,
# and the time from a write at the API server until both nodes enforce it, seen by a stranger that
# knocks all the time. PROGRAMS names the folder of the static release programs (make image).
set -euo pipefail
cd "$(dirname "$0")/../.."
changes=${1:-60} programs=${PROGRAMS:-.build-static/release}
export K8S_STATE="${K8S_STATE:-/var/lib/k8s-test}" K8S_CACHE="${K8S_CACHE:-/var/cache/k8s-test}"
export KUBECONFIG="$K8S_STATE/kubeconfig"
kubectl() { "$K8S_CACHE/bin/kubectl" "$@"; }
apply() { kubectl apply --validate=false -f - >&2; }
work=$(mktemp -d)
scripts/kubernetes/build.sh
K8S_NODES=2 scripts/kubernetes/up.sh >&2
trap 'scripts/kubernetes/down.sh; rm -rf "$work"' EXIT
scripts/image.sh localhost/skein:bench "$work/skein.tar" \
  "$programs"/{node-agent,control-plane,ztunnel,skein-cni} >&2
scripts/kubernetes/load-image.sh "$work/skein.tar"

apply <<'YAML'
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: peerauthentications.security.istio.io}
spec:
  group: security.istio.io
  names: {kind: PeerAuthentication, listKind: PeerAuthenticationList, plural: peerauthentications}
  scope: Namespaced
  versions:
    - name: v1
      served: true
      storage: true
      schema:
        openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}
YAML
kubectl kustomize manifests/base | sed 's|image: skein$|image: localhost/skein:bench|' | apply
kubectl -n skein-system rollout status deployment/control-plane --timeout=120s >&2
kubectl -n skein-system rollout status daemonset/node-agent --timeout=120s >&2
apply <<'YAML'
apiVersion: v1
kind: Namespace
metadata: {name: bench, labels: {istio.io/dataplane-mode: ambient}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: bench}
spec:
  replicas: 40
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      terminationGracePeriodSeconds: 1
      topologySpreadConstraints:
        - maxSkew: 1
          topologyKey: kubernetes.io/hostname
          whenUnsatisfiable: DoNotSchedule
          labelSelector: {matchLabels: {app: web}}
      containers:
        - name: web
          image: localhost/app:1
          command: [/bin/sh, -c, 'echo web >/www/index.html; exec httpd -f -p 8080 -h /www']
---
apiVersion: v1
kind: Pod
metadata: {name: stranger, namespace: default}
spec:
  nodeName: n1
  terminationGracePeriodSeconds: 1
  containers: [{name: stranger, image: localhost/app:1, command: [/bin/sleep, inf]}]
YAML
kubectl -n bench rollout status deployment/web --timeout=180s >&2
kubectl -n default wait --for=condition=Ready pod/stranger --timeout=60s >&2
sleep 20
# The working set is what `kubectl top` shows and the kubelet evicts by: what its container is charged
# with, without file pages that nobody touched twice.
for node in n1 n2; do
  for program in node-agent ztunnel; do
    scripts/kubernetes/node-exec.sh "$node" bash -c "
      process=\$(pgrep -xo $program)
      awk -v name='$node $program' '/VmRSS|RssAnon/ {print name, \$1, \$2 / 1024, \"MiB\"}' /proc/\$process/status
      group=/sys/fs/cgroup/memory\$(awk -F: '\$2 == \"memory\" {print \$3}' /proc/\$process/cgroup)
      awk -v name='$node $program' -v used=\$(cat \$group/memory.usage_in_bytes) \
        '\$1 == \"total_inactive_file\" {print name, \"working set:\", (used - \$2) / 1048576, \"MiB\"}' \
        \$group/memory.stat"
  done
done
python3 bench/control-plane/enforcement.py run "$K8S_STATE" "$changes"
