#!/usr/bin/env bash
# bench/dns/run.sh: how fast ztunnel answers a pod's DNS queries, on one core.
#
# One enrolled pod on one node, a mesh of SERVICES services. ztunnel has processor 0 to itself, the client
# processor 1, both before all other work. Prints one line of JSON per load: local names, a headless service of 256, forwarded names,
# and the same resolver without capture for comparison. NODE_AGENT and ZTUNNEL name the programs.
# RATE=10000 SECONDS_EACH=10 SERVICES=1000
set -euo pipefail
cd "$(dirname "$0")"

: "${NODE_AGENT:?path of node-agent}" "${ZTUNNEL:?path of ztunnel}"
rate=${RATE:-10000} seconds=${SECONDS_EACH:-10} services=${SERVICES:-1000}
work=$(mktemp -d)
pod=dnsbench-pod node=dnsbench-node
agent='' resolver=''

finish() {
  [[ -z $agent ]] || { kill "$agent" 2>/dev/null || true; wait "$agent" 2>/dev/null || true; }
  [[ -z $resolver ]] || kill "$resolver" 2>/dev/null || true
  "$NODE_AGENT" uninstall --node "$node" --state-dir "$work/state" >/dev/null 2>&1 || true
  ip netns del "$pod" 2>/dev/null || true
  ip netns del "$node" 2>/dev/null || true
  rm -rf "$work"
}
trap finish EXIT

gcc -O2 -o "$work/dnsload" dnsload.c
ip netns add "$pod"
ip netns add "$node"
ip link add eth0 netns "$pod" type veth peer name veth0 netns "$node"
ip -n "$pod" link set lo up
ip -n "$pod" link set eth0 up
ip -n "$node" link set lo up
ip -n "$node" link set veth0 up
ip -n "$pod" addr add 10.203.0.2/24 dev eth0
ip -n "$node" addr add 10.203.0.1/24 dev veth0
ip -n "$pod" route add default via 10.203.0.1

mkdir -p "$work/manifests"
{
  cat <<Y
apiVersion: v1
kind: Namespace
metadata: {name: bench, labels: {istio.io/dataplane-mode: ambient}}
---
apiVersion: v1
kind: Pod
metadata: {name: client, namespace: bench, annotations: {skein.dev/netns: $pod}}
spec: {nodeName: $node}
status: {podIPs: [{ip: 10.203.0.2}]}
---
apiVersion: v1
kind: Service
metadata: {name: crowd, namespace: bench}
spec: {clusterIP: None, selector: {app: crowd}, ports: [{port: 80}]}
Y
  for ((n = 0; n < services; n++)); do
    printf -- '---\napiVersion: v1\nkind: Service\nmetadata: {name: s%d, namespace: bench}\nspec: {clusterIP: 10.96.%d.%d, selector: {app: s%d}, ports: [{port: 80}]}\n' \
      "$n" $((n / 250)) $((n % 250 + 1)) "$n"
  done
  for ((n = 0; n < 256; n++)); do
    printf -- '---\napiVersion: v1\nkind: Pod\nmetadata: {name: crowd-%d, namespace: bench, labels: {app: crowd, istio.io/dataplane-mode: none}}\nspec: {nodeName: elsewhere}\nstatus: {podIPs: [{ip: 10.204.0.%d}], conditions: [{type: Ready, status: "True"}]}\n' \
      "$n" "$n"
  done
} > "$work/manifests/bench.yaml"

nsenter --net=/run/netns/"$node" taskset -c 1 "$work/dnsload" serve &
resolver=$!
load() { # LABEL NAME...
  local label=$1
  shift
  local before after line
  before=$(cpu)
  line=$(nsenter --net=/run/netns/"$pod" taskset -c 1 chrt --fifo 10 "$work/dnsload" 10.203.0.1 "$seconds" "$rate" "$@")
  after=$(cpu)
  echo "{\"load\": \"$label\", \"rate\": $rate, \"cpu\": $(((after - before) * 100 / seconds / 100)), ${line#\{}"
}
# Hundredths of a second of processor that ztunnel has used.
cpu() { [[ -z ${tunnel:-} ]] && echo 0 || awk '{print $14 + $15}' "/proc/$tunnel/stat"; }

sleep 0.2
load "resolver alone" www.example.org
nsenter --net=/run/netns/"$node" "$NODE_AGENT" run --node "$node" --config "$work/manifests" --state-dir "$work/state" \
  --ztunnel "$ZTUNNEL" > "$work/log" 2>&1 &
agent=$!
for ((turn = 0; turn < 200; turn++)); do
  state=$("$NODE_AGENT" status pods -o json --state-dir "$work/state" 2>/dev/null |
    python3 -c 'import json,sys; print([p["state"] for p in json.load(sys.stdin) if p["name"] == "client"][0])' 2>/dev/null || true)
  [[ $state == enrolled ]] && break
  sleep 0.1
done
[[ $state == enrolled ]] || { cat "$work/log" >&2; echo "bench: the pod is not enrolled" >&2; exit 1; }
tunnel=$("$NODE_AGENT" status -o json --state-dir "$work/state" |
  python3 -c 'import json,sys; print(json.load(sys.stdin)["ztunnel"]["processID"])')
taskset -apc 0 "$tunnel" >/dev/null
# Before whatever else the machine does: the tail should be ours, not a neighbour's.
chrt --all-tasks --fifo --pid 10 "$tunnel"
taskset -apc 1 "$agent" >/dev/null

names=()
for ((n = 0; n < services && n < 1000; n++)); do names+=("s$n.bench.svc.cluster.local"); done
load "1000 services" "${names[@]}"
load "one service, short name" s7
load "headless, 74 of 256 addresses" crowd.bench.svc.cluster.local
load "forwarded" www.example.org
