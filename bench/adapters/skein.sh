#!/usr/bin/env bash
# Skein whole: node-agent with real capture in the client's and the server's pod, ztunnel in the measured control group.
#
# The client's namespace perf-c is a pod of node a, the server's perf-s a pod of node b. A_LISTEN is the virtual address
# of a service whose endpoint is DST: what the client dials there leaves its pod only through ztunnel.
# NODE_AGENT and ZTUNNEL name the programs; CLIENT_NETNS and SERVER_NETNS other namespaces.
set -euo pipefail

root=$(awk '$3 == "cgroup2" {print $2; exit}' /proc/mounts)
group=$root$(awk -F: '$1 == 0 {print $3}' /proc/self/cgroup)
state=$WORK/skein-$ROLE
config=$WORK/skein-$ROLE-manifests
client=${CLIENT_NETNS:-perf-c} server=${SERVER_NETNS:-perf-s}

address_in() { nsenter --net=/run/netns/"$1" ip -4 -o addr show scope global | awk '{sub("/.*", "", $4); print $4; exit}'; }

pod() { # NAME NODE NAMESPACE ADDRESS
  cat <<Y
apiVersion: v1
kind: Pod
metadata: {name: $1, namespace: bench, labels: {app: $1}, annotations: {skein.dev/netns: $3}}
spec: {nodeName: $2, serviceAccountName: $1}
status: {podIPs: [{ip: $4}]}
---
Y
}

mkdir -p "$config"
cat > "$config/bench.yaml" <<Y
$(pod client bench-a "$client" "$(address_in "$client")")
$(pod server bench-b "$server" "${DST%:*}")
apiVersion: v1
kind: Namespace
metadata: {name: bench, labels: {istio.io/dataplane-mode: ambient}}
---
apiVersion: v1
kind: Service
metadata: {name: server, namespace: bench}
spec:
  clusterIP: ${A_LISTEN%:*}
  selector: {app: server}
  ports: [{port: ${A_LISTEN#*:}, targetPort: ${DST#*:}}]
Y

# Only ztunnel is measured, as the other peers have no agent: this shell and node-agent leave the group.
echo $$ > "$root/cgroup.procs"
"$NODE_AGENT" run --node "bench-$ROLE" --config "$config" --state-dir "$state" --ca-dir "$WORK/skein-ca" \
  --ztunnel "$ZTUNNEL" --ztunnel-cgroup "$group" --drain 0s &
agent=$!
trap 'kill $agent 2>/dev/null; wait $agent' EXIT

# When the measured process is killed, the measurement is over.
measured=
while kill -0 $agent && [[ -z $measured ]]; do
  sleep 0.05
  measured=$(head -n 1 "$group/cgroup.procs")
done
tail --pid="$measured" -f /dev/null
