#!/usr/bin/env bash
# bench/control-plane/run.sh [PODS SERVICES STREAMS CHANGES]: how long a change of one file takes to
# reach every node, and what the control plane needs for it. Without arguments: 2 000 pods with
# 1 000 services, then how it grows to 10 000 pods. Needs CONTROL_PLANE=<a release build>.
set -euo pipefail
cd "$(dirname "$0")/../.."

program=${CONTROL_PLANE:-.build-release/release/control-plane}
if [[ -z ${PEERS:-} ]]; then
  while IFS='=' read -r name value; do export "$name=$value"; done < <(scripts/peers.sh)
fi
port=${PORT:-25212}
work=$(mktemp -d)
pid=
stop() {
  if [[ -n $pid ]]; then
    kill "$pid" 2>/dev/null || true
    wait "$pid" 2>/dev/null || true
    pid=
  fi
}
trap 'stop; rm -rf "$work"' EXIT

# measure PODS SERVICES STREAMS CHANGES
measure() {
  rm -rf "$work/mesh"
  python3 bench/control-plane/generate.py "$work/mesh" "$1" "$2"
  printf 'node-0 token-of-the-benchmark\n' > "$work/tokens"
  "$program" run --config "$work/mesh" --ca-dir "$work/ca" --listen "127.0.0.1:$port" \
    --server-name localhost --token-file "$work/tokens" --admin "127.0.0.1:$((port + 1))" \
    > "$work/log" &
  pid=$!
  for _ in $(seq 600); do
    grep -q 'generation served' "$work/log" && break
    sleep 0.1
  done
  grep -q 'generation served' "$work/log" || { cat "$work/log"; exit 1; }
  echo "$1 pods, $2 services, $3 nodes connected"
  echo "  first read     $(grep -o 'milliseconds="[0-9]*"' "$work/log" | head -n 1 | tr -dc 0-9) ms"
  python3 bench/control-plane/push.py proto "localhost:$port" "$work/ca/ca.crt" "$work/tokens" \
    "$work/mesh" "$pid" "$3" "$4"
  # Of these times the first is the first reading, the others are of changes that had settled.
  echo "  read to served $(grep -o 'milliseconds="[0-9]*"' "$work/log" | tail -n +2 | tr -dc '0-9\n' |
    sort -n | awk '{ row[NR] = $1 } END { print "median " row[int((NR + 1) / 2)] " ms, most " row[NR] " ms" }')"
  stop
}

if (($# > 0)); then
  measure "$1" "$2" "${3:-1}" "${4:-10}"
else
  measure 2000 1000 1 20
  measure 2000 1000 100 10
  measure 5000 2500 10 10
  measure 10000 5000 10 10
fi
