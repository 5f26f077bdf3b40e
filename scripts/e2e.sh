#!/usr/bin/env bash
# Runs Tests/KubernetesTests against real clusters made for them: scripts/e2e.sh [FILTER]. The first
# run builds the clusters' programs, which takes minutes; they are kept.
set -euo pipefail
cd "$(dirname "$0")/.."
export CONTROL_PLANE="$PWD/.build/debug/control-plane" K8S_SCRIPTS="$PWD/scripts/kubernetes"
export K8S_STATE="${K8S_STATE:-/var/lib/k8s-test}" K8S_CACHE="${K8S_CACHE:-/var/cache/k8s-test}"
export KUBECONFIG="$K8S_STATE/kubeconfig" KUBECTL="$K8S_CACHE/bin/kubectl"
filter=${1:-}
scripts/kubernetes/build.sh
archive=$(mktemp -d)
trap 'scripts/kubernetes/down.sh; rm -rf "$archive"' EXIT

# A server without nodes. No node controllers: its nodes have no kubelet, and nobody shall find them
# dead.
if [[ "A control plane of a cluster" =~ $filter ]]; then
  K8S_NODES=0 K8S_KCM_OFF=,-nodelifecycle,-podgc scripts/kubernetes/up.sh
  scripts/run-tests.sh --filter '^KubernetesTests\.`A control plane of a cluster`'
  scripts/kubernetes/down.sh
fi

# Two nodes, each with its own kubelet and containerd, and the image of what is built here.
if [[ "A cluster" =~ $filter ]]; then
  K8S_NODES=2 scripts/kubernetes/up.sh
  export SKEIN_IMAGE=localhost/skein:test
  scripts/image.sh "$SKEIN_IMAGE" "$archive/skein.tar" .build/debug/{node-agent,control-plane} \
    .build-static/release/{ztunnel,skein-cni}
  scripts/kubernetes/load-image.sh "$archive/skein.tar"
  scripts/run-tests.sh --filter '^KubernetesTests\.`A cluster`'
fi
