#!/usr/bin/env bash
# Runs Tests/KubernetesTests against a real cluster without nodes, made for them: scripts/e2e.sh
# [FILTER]. The first run builds the cluster's programs, which takes minutes; they are kept.
set -euo pipefail
cd "$(dirname "$0")/.."
export CONTROL_PLANE="$PWD/.build/debug/control-plane" K8S_SCRIPTS="$PWD/scripts/kubernetes"
export K8S_STATE="${K8S_STATE:-/var/lib/k8s-test}"
scripts/kubernetes/build.sh
# No node controllers: these nodes have no kubelet, and nobody shall find them dead.
K8S_NODES=0 K8S_KCM_OFF=,-nodelifecycle,-podgc scripts/kubernetes/up.sh
trap 'scripts/kubernetes/down.sh' EXIT
export KUBECONFIG="$K8S_STATE/kubeconfig"
swift test --explicit-target-dependency-import-check error --skip-build --disable-xctest \
  --filter "${1:-^KubernetesTests\.}"
