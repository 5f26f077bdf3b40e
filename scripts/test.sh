#!/usr/bin/env bash
# Runs the tests of the build that is there: scripts/test.sh [FILTER].
#
# As root nothing may be skipped: a skipped test is a failure, because this kernel could have run it.
set -euo pipefail
cd "$(dirname "$0")/.."

filter=()
if [[ -n "${1:-}" ]]; then filter=(--filter "$1"); fi
log=$(mktemp)
trap 'rm -f "$log"' EXIT

export ZTUNNEL="$PWD/.build-static/release/ztunnel" NODE_AGENT="$PWD/.build/debug/node-agent"
swift test --explicit-target-dependency-import-check error --skip-build --disable-xctest \
  "${filter[@]}" 2>&1 | tee "$log" | grep -Ev '^(◇|✔) ' || true
status=${PIPESTATUS[0]}

if ((status != 0)); then
  echo "tests failed; the failures again:"
  grep -E '^✘' "$log" || true
  exit "$status"
fi
if ((EUID == 0)) && grep -qE '^➜' "$log"; then
  echo "skipped as root, which counts as failed:"
  grep -E '^➜' "$log"
  exit 1
fi
grep -E 'Test run with [0-9]+ test' "$log" | tail -n 1
