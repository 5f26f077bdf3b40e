#!/bin/bash
# restart.sh NAME [SECONDS]: kills a process of the test cluster's control plane, and starts it again
# as it was after so long. NAME is as in $K8S_STATE/pids: kube-apiserver, etcd, ...
set -euo pipefail
S=${K8S_STATE:-/var/lib/k8s-test}
. "$S/env"
name=${1:?usage: restart.sh NAME [SECONDS]}
read -r _ pid _ < <(grep "^$name " "$S/pids")
mapfile -d '' command <"/proc/$pid/cmdline"
kill -KILL "$pid"
while [ -e "/proc/$pid" ]; do sleep 0.05; done
sleep "${2:-0}"
ip netns exec "$P-cp" setsid "${command[@]}" >>"$S/log/$name.log" 2>&1 </dev/null &
new=$!
sed -i "s/^$name .*/$name $new $(cut -d' ' -f22 /proc/$new/stat)/" "$S/pids"
